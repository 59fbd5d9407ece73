// exec that answers huge indices, no array, or the expression itself.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
for (const answer of [
  { index: 2 ** 31, length: 3, 0: 'x' },
  { index: -1, 0: '' },
  { length: 1e5 },
  {
    index: NaN,
    0: {
      toString() {
        return 'y'.repeat(10);
      },
    },
  },
  {},
]) {
  let n = 0;
  const r = /x/g;
  r.exec = () => (n++ < 3 ? answer : null);
  for (const f of [
    () => 'aaa'.replace(r, '$1$&$`'),
    () => 'aaa'.match(r),
    () => 'aaa'.split(r),
    () => 'aaa'.search(r),
    () => [...'aaa'.matchAll(r)],
  ]) {
    n = 0;
    try {
      f();
    } catch {}
  }
}
