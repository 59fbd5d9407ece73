// Patterns whose defaults and computed names change what is taken apart.
// expect: 201
// timeout: 2000
const o = {
  get a() {
    delete o.b;
    return [1, { c: 2 }];
  },
  b: { d: 3 },
};
const { a: [x, { c = o, ...rest } = {}] = [], [((o.e = 1), 'b')]: { d } = { d: 4 }, ...others } = o;
const many = (p = q, ...q) => [p, q];
try {
  many();
} catch (e) {
  if (!(e instanceof ReferenceError) && !(e instanceof Error)) throw e;
}
