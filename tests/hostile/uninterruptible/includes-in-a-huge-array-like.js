// includes asks for every index.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.includes.call({ length: 2 ** 50 }, 1);
