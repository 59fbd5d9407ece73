// The limit is met a thousand times, and caught each time.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
for (let i = 0; ; i++) {
  try {
    new ArrayBuffer(1 << 26);
  } catch {}
}
