// A callback at every index, from the end.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.findLast.call({ length: 2 ** 50 }, () => false);
