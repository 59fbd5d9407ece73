// Forty levels, each naming the one below twice: 2^40 values as text.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
let a = {};
for (let i = 0; i < 40; i++) a = { l: a, r: a };
JSON.stringify(a);
