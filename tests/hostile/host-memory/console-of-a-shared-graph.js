// 2^40 values to be shown.
// expect: 201 | 504 EXTENSION_TIMEOUT
let a = {};
for (let i = 0; i < 40; i++) a = { l: a, r: a };
console.log(a);
