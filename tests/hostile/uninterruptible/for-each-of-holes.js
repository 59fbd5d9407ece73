// A callback that is never called.
// expect: 504 EXTENSION_TIMEOUT
const a = [];
a.length = 2 ** 32 - 1;
a.forEach(() => {});
