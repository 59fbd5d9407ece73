// A species whose arrays are shorter, longer, of other kinds, or the same memory.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
for (const make of [
  () => new Uint8Array(0),
  () => new Uint8Array(1),
  () => new Float64Array(5000),
  () => new BigInt64Array(500),
  (a) => a,
  () => ({}),
  () => {
    throw 1;
  },
]) {
  const a = new Uint8Array(4096);
  a.constructor = {
    [Symbol.species]: function () {
      return make(a);
    },
  };
  for (const f of [() => a.map((x) => x), () => a.filter(() => true), () => a.slice(0, 2000), () => a.subarray(1)]) {
    try {
      f();
    } catch {}
  }
}
