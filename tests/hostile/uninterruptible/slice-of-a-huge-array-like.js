// slice asks for every index of its range.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
Array.prototype.slice.call({ length: 2 ** 32 - 1 }, 0, 2 ** 32 - 1);
