// Copies that are thrown away at once.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = new ArrayBuffer(6 << 20);
for (;;) a.slice(0);
