// asIntN, shifts and powers at their edges.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
// timeout: 2000
for (const n of [0n, -1n, 1n << 63n, -(1n << 64n), (1n << 200n) - 1n])
  for (const w of [0, 1, 63, 64, 65, 2 ** 31, 2 ** 53 - 1]) {
    try {
      BigInt.asIntN(w, n);
      BigInt.asUintN(Math.min(w, 1000), n);
    } catch (e) {
      if (!(e instanceof RangeError)) throw e;
    }
  }
for (const f of [
  () => 1n << (1n << 40n),
  () => 2n ** (1n << 40n),
  () => 1n >> (1n << 70n),
  () => -1n >> -(1n << 40n),
  () => 1n / 0n,
  () => 1n % 0n,
  () => (-1n) ** -1n,
]) {
  try {
    f();
  } catch (e) {
    if (!(e instanceof RangeError)) throw e;
  }
}
