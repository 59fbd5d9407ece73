// Callbacks of every iteration take the memory away.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (const name of [
  'map',
  'filter',
  'forEach',
  'every',
  'some',
  'find',
  'findIndex',
  'findLast',
  'findLastIndex',
  'reduce',
  'reduceRight',
]) {
  const buffer = new ArrayBuffer(1024, { maxByteLength: 1 << 16 });
  const a = new Uint32Array(buffer);
  let n = 0;
  try {
    a[name](() => {
      if (++n === 3) buffer.resize(n % 2 ? 4 : 1 << 16);
      if (n === 9) buffer.transfer();
      return true;
    });
  } catch {}
}
