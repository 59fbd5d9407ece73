// Bytes of a long text, kept.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
const e = new TextEncoder();
for (;;) all.push(e.encode('\u20ac'.repeat(100000)));
