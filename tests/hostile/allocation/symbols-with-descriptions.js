// Symbols that are held by a list.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (let i = 0; ; i++) all.push(Symbol('x'.repeat(1000) + i));
