// A real array of holes, sorted.
// expect: 504 EXTENSION_TIMEOUT
const a = [3];
a.length = 2 ** 32 - 1;
a[4e9] = 1;
a.sort();
