// A real array of four thousand million holes.
// expect: 504 EXTENSION_TIMEOUT
const a = [];
a.length = 2 ** 32 - 1;
a[7] = 1;
a.reverse();
