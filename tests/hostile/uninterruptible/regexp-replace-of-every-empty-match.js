// An empty match at every place of a long text.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = 'x'.repeat(1 << 20);
for (;;) s.replace(/(?:)/g, '');
