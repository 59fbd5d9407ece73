// The end of the stack found inside natives that call back.
// expect: 201
// timeout: 2000
const ends = [
  (f) => [1].map(f),
  (f) => [2, 1].sort(f),
  (f) => 'x'.replace(/x/, f),
  (f) => JSON.stringify({ toJSON: f }),
  (f) => Reflect.apply(f, null, []),
  (f) => new Promise(f),
  (f) => Array.from([1], f),
  (f) => new Proxy({}, { get: f }).x,
  (f) => `${{ toString: f }}`,
  (f) => JSON.parse('[1]', f),
  (f) => new Map([[1, 1]]).forEach(f),
  (f) =>
    structuredClone({
      get x() {
        return f();
      },
    }),
  (f) => [...{ [Symbol.iterator]: f }],
];
for (const end of ends) {
  let deepest = 0;
  const f = () => {
    deepest++;
    return end(f);
  };
  try {
    f();
  } catch (e) {
    if (!(e instanceof RangeError || e instanceof InternalError || e instanceof TypeError)) throw e;
  }
  if (deepest < 10) throw new Error('reached: the stack ended at once');
}
