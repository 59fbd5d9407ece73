// A text of nothing but spaces.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = ' '.repeat(4 << 20);
for (;;) s.trim();
