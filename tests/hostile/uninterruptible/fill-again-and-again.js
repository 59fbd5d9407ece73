// A typed array of 8 MB, filled without a pause.
// expect: 504 EXTENSION_TIMEOUT
const a = new Uint8Array(8 << 20);
for (;;) a.fill(1);
