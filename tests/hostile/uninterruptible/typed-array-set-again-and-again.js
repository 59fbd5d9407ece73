// Megabytes copied over themselves.
// expect: 504 EXTENSION_TIMEOUT
const a = new Uint8Array(4 << 20);
const b = a.subarray(0, a.length - 1);
for (;;) a.set(b, 1);
