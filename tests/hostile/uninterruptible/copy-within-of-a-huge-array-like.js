// copyWithin asks for every index below the length.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.copyWithin.call({ length: 2 ** 50, 5: 1 }, 1, 3);
