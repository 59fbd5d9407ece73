// indexOf asks for every index and finds nothing.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.indexOf.call({ length: 2 ** 50 }, 1);
