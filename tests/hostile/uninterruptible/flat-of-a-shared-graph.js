// 2^40 leaves behind forty arrays.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
let a = [];
for (let i = 0; i < 40; i++) a = [a, a];
a.flat(Infinity);
