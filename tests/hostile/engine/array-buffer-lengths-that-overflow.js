// Typed arrays whose bytes do not fit any number.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
for (const Kind of [Uint8Array, Uint16Array, Float64Array, BigUint64Array])
  for (const length of [2 ** 29, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1]) {
    try {
      new Kind(length);
    } catch {}
    try {
      new Kind({ length });
    } catch {}
    try {
      new Kind(new ArrayBuffer(16), 8, length);
    } catch {}
  }
