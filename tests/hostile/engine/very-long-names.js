// Property names of a megabyte, by the hundred.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const o = {};
for (let i = 0; i < 20; i++) o[`${'n'.repeat(200000)}${i}`] = i;
Object.keys(o).sort();
Symbol.for('s'.repeat(1 << 20));
