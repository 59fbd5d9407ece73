// The value that fills takes the memory away while it is asked.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (const how of ['detach', 'shrink'])
  for (const [Kind, value] of [
    [Uint8Array, 1],
    [BigInt64Array, 1n],
    [Float64Array, 1.5],
  ]) {
    const buffer = new ArrayBuffer(64, { maxByteLength: 1 << 16 });
    buffer.resize(1 << 16);
    const a = new Kind(buffer);
    const v = {
      valueOf() {
        how === 'detach' ? buffer.transfer() : buffer.resize(0);
        return value;
      },
    };
    try {
      a.fill(v, 1);
    } catch {}
    try {
      a[3] = v;
    } catch {}
    try {
      a.with(2, v);
    } catch {}
  }
