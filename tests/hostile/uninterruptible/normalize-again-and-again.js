// A long text in another form, in a loop.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = '\u00e9'.repeat(1 << 18);
for (;;) s.normalize('NFKD');
