// shift moves every index down.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.shift.call({ length: 2 ** 50 });
