// Every trap lies about what cannot be otherwise, and is refused.
// expect: 201
// timeout: 2000
const target = Object.freeze(Object.defineProperty({ fixed: 1 }, 'hidden', { value: 2 }));
const lies = {
  get: () => 3,
  getOwnPropertyDescriptor: () => ({ value: 9, configurable: false }),
  has: () => false,
  ownKeys: () => ['other'],
  isExtensible: () => true,
  getPrototypeOf: () => Array.prototype,
  defineProperty: () => true,
  deleteProperty: () => true,
  preventExtensions: () => false,
  setPrototypeOf: () => true,
};
const p = new Proxy(target, lies);
let refused = 0;
for (const f of [
  () => p.fixed,
  () => Object.getOwnPropertyDescriptor(p, 'fixed'),
  () => 'fixed' in p,
  () => Reflect.ownKeys(p),
  () => Object.isExtensible(p),
  () => Object.getPrototypeOf(p),
  () => Object.defineProperty(p, 'x', { value: 1 }),
  () => delete p.fixed,
  () => Object.setPrototypeOf(p, {}),
]) {
  try {
    f();
  } catch (e) {
    if (e instanceof TypeError) refused++;
  }
}
if (refused !== 9) throw new Error(`reached: ${refused} of 9 lies were refused`);
