// One buffer, resized to its end.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const b = new ArrayBuffer(1, { maxByteLength: 1 << 30 });
for (let i = 1; ; i *= 2) {
  b.resize(Math.min(i, 1 << 30));
  new Uint8Array(b).fill(1);
}
