// Bits moved to and fro.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const n = 1n << 8000000n;
for (;;) (n >> 3n) << 3n;
