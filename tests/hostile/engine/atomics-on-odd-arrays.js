// Atomics on detached, shrunk and wrong arrays, with values that shrink them.
// expect: 201
// timeout: 2000
for (const name of ['add', 'and', 'compareExchange', 'exchange', 'load', 'or', 'store', 'sub', 'xor', 'notify', 'isLockFree', 'pause']) {
  const buffer = new ArrayBuffer(64, { maxByteLength: 128 });
  const a = new Int32Array(buffer);
  const evil = {
    valueOf() {
      buffer.resize(0);
      return 1;
    },
  };
  for (const args of [
    [a, evil, 1, 1],
    [a, 1, evil, evil],
    [a, 1e9, 1, 1],
    [new Float64Array(2), 0, 1, 1],
    [a, 0, 1n, 1n],
  ]) {
    try {
      Atomics[name]?.(...args);
    } catch {}
  }
}
