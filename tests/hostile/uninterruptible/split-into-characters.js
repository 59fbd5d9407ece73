// A million little texts at every turn.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = 'xy'.repeat(1 << 17);
for (;;) s.split('');
