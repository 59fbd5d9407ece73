// A text that grows by one.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
const all = [];
for (let s = ''; ; s += 'x') all.push(s);
