// unshift moves every index up.
// expect: 504 EXTENSION_TIMEOUT
Array.prototype.unshift.call({ length: 2 ** 50 }, 1);
