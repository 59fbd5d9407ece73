// No thread is put to sleep.
// expect: 201
// timeout: 2000
for (const f of [
  () => Atomics.wait(new Int32Array(4), 0, 0),
  () => Atomics.wait(new Int32Array(4), 0, 0, 1e6),
  () => Atomics.waitAsync(new Int32Array(4), 0, 0),
  () => Reflect.apply(Atomics.wait, Atomics, [new BigInt64Array(4), 0, 0n]),
]) {
  try {
    f();
  } catch (e) {
    if (/not available/.test(e.message)) continue;
    throw e;
  }
  throw new Error('reached: a wait');
}
