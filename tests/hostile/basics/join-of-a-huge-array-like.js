// A built-in that the engine does not interrupt.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
Array.prototype.join.call({ length: 1e12 });
