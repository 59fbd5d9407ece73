// toReversed makes an array of every index.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
Array.prototype.toReversed.call({ length: 2 ** 32 - 1 });
