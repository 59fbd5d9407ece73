// One set.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const s = new Set();
for (let i = 0; ; i++) s.add(`text ${i}`);
