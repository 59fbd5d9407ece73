// A prototype chain that leads through a proxy to itself.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
const o = {};
const p = new Proxy(o, {
  get(t, k, r) {
    return Reflect.get(Object.getPrototypeOf(t), k, r);
  },
  has(t, k) {
    return Reflect.has(Object.getPrototypeOf(t), k);
  },
});
Object.setPrototypeOf(o, p);
for (const f of [
  () => o.nothing,
  () => 'nothing' in o,
  () => {
    o.nothing = 1;
  },
  () => o instanceof Object,
]) {
  try {
    f();
  } catch (e) {
    if (!(e instanceof RangeError || e instanceof InternalError)) throw e;
  }
}
