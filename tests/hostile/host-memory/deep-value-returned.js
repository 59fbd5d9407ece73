// A result of a hundred thousand levels.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
let a = {};
for (let i = 0; i < 1e5; i++) a = { a };
return a;
