// A search for the first value that is there.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.reduceRight.call({ length: 2 ** 50, 0: 1 }, (x) => x, 0);
