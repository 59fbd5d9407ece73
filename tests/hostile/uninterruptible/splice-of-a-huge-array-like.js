// splice moves every index after the hole.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
Array.prototype.splice.call({ length: 2 ** 45 }, 0, 1);
