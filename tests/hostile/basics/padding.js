// Texts of 16 MB, thrown away.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = 'x'.repeat(1 << 20);
for (;;) s.padEnd(1 << 24);
