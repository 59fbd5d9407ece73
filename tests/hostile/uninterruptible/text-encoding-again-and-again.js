// Megabytes to bytes and back.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const encoder = new TextEncoder(),
  decoder = new TextDecoder();
const s = '\u20ac'.repeat(1 << 18);
for (;;) decoder.decode(encoder.encode(s));
