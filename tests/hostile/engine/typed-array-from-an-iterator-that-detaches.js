// from and of into a constructor that gives the same array.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const a = new Uint8Array(100);
function Same() {
  return a;
}
try {
  Uint8Array.from.call(
    Same,
    (function* () {
      yield 1;
      a.buffer.transfer();
      yield 2;
    })(),
  );
} catch {}
try {
  Uint8Array.of.call(
    Same,
    1,
    {
      valueOf() {
        a.buffer.transfer?.();
        return 1;
      },
    },
    3,
  );
} catch {}
