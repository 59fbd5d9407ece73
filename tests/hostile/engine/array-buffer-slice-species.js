// slice into a buffer that is the same, too small, or detached.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (const make of [
  (b) => b,
  () => new ArrayBuffer(1),
  (b) => {
    b.transfer();
    return new ArrayBuffer(4096);
  },
  () => 1,
]) {
  const b = new ArrayBuffer(4096);
  b.constructor = {
    [Symbol.species]: function () {
      return make(b);
    },
  };
  try {
    b.slice(1, 4000);
  } catch {}
}
