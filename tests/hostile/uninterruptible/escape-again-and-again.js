// An old built-in with the same cost.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const s = '\u20ac'.repeat(1 << 17);
for (;;) unescape(escape(s));
