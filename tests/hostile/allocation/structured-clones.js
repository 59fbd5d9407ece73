// Copies of copies.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let a = [1];
for (;;) a = [structuredClone(a), structuredClone(a)];
