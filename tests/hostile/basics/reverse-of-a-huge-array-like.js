// A built-in that the engine does not interrupt and that needs no memory.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.reverse.call({ length: 2 ** 50 });
