// Numbers as text, megabytes of them.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = new Uint8Array(1 << 20);
for (;;) a.join();
