// A comparator that shrinks a resizable buffer.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 50; n++) {
  const buffer = new ArrayBuffer(4096, { maxByteLength: 8192 });
  const a = new Int32Array(buffer).map((_, i) => -i);
  const b = new Int32Array(buffer);
  let calls = 0;
  try {
    b.sort((x, y) => {
      if (++calls === 10) buffer.resize(8);
      return x - y;
    });
  } catch {}
}
