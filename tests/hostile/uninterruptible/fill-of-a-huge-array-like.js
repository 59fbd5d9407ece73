// fill writes every index.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
Array.prototype.fill.call({ length: 2 ** 50 }, 1);
