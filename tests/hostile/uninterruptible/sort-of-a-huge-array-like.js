// sort gathers every index first.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
Array.prototype.sort.call({ length: 2 ** 50 });
