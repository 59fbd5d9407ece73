// Arrays of numbers, under another limit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
// timeout: 1000
// memory: 64
const all = [];
for (;;) all.push(new Array(10000).fill(1));
