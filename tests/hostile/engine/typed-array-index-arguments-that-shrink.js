// Indices whose conversion takes the memory away, for every method with one.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (const name of ['slice', 'subarray', 'copyWithin', 'fill', 'indexOf', 'lastIndexOf', 'includes', 'at', 'with']) {
  const buffer = new ArrayBuffer(4096, { maxByteLength: 4096 });
  const a = new Uint16Array(buffer);
  const evil = {
    valueOf() {
      buffer.resize(2);
      return 1000;
    },
  };
  try {
    a[name](evil, evil, evil);
  } catch {}
  try {
    a[name](1, evil, 2000);
  } catch {}
  try {
    a[name](0, 1, evil);
  } catch {}
}
