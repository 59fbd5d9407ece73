// Three characters for each, of a long text.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const s = '\u20ac'.repeat(1 << 17);
for (;;) encodeURIComponent(s);
