// Arrays of numbers.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (;;) all.push(new Array(10000).fill(1));
