// A million digits read.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const s = '7'.repeat(900000);
for (;;) BigInt(s);
