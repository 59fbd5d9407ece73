// The private state of web classes cannot be had by subclassing, proxies or foreign this.
// expect: 201
// timeout: 2000
class Spy extends Headers {
  constructor(...args) {
    super(...args);
  }
  get(k) {
    return super.get(k);
  }
}
const h = new Spy({ a: 'b' });
if (Reflect.ownKeys(h).length !== 0) throw new Error(`reached: ${String(Reflect.ownKeys(h))}`);
let ok = 0;
for (const f of [
  () => Headers.prototype.get.call({}, 'a'),
  () => Headers.prototype.get.call(new Proxy(h, {}), 'a'),
  () => Object.getOwnPropertyDescriptor(URL.prototype, 'href').get.call({}),
  () => Response.prototype.text.call({}),
]) {
  try {
    const r = f();
    if (r && r.then) await r;
  } catch (e) {
    if (e instanceof TypeError) ok++;
  }
}
if (ok !== 4) throw new Error(`reached: ${ok} of 4 were refused`);
