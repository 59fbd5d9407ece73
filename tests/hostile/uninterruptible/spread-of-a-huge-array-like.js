// Arguments taken from a length nobody has.
// expect: 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
Math.max.apply(null, { length: 2 ** 31 });
