// A text that is mostly indentation.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let a = [];
for (let i = 0; i < 1000; i++) a = [a, a.length];
const all = [];
for (;;) all.push(JSON.stringify(a, null, '          '));
