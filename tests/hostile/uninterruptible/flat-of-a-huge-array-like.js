// flat looks at every index of a length nobody has.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
Array.prototype.flat.call({ length: 2 ** 50 });
