// A value written as a text that does not fit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const a = new Array(1000).fill('x'.repeat(1000));
const all = [];
for (;;) all.push(JSON.stringify(a));
