// lastIndexOf asks for every index from the end.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.lastIndexOf.call({ length: 2 ** 50 }, 1);
