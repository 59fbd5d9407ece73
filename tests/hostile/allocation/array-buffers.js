// Buffers that nobody writes to.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (;;) all.push(new ArrayBuffer(1 << 20));
