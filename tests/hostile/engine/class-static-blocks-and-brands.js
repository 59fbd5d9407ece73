// Brands put on the wrong objects, static blocks that see half a class.
// expect: 201
// timeout: 2000
class Base {
  constructor(o) {
    return o;
  }
}
class Branded extends Base {
  #x = 1;
  static #count = 0;
  static {
    try {
      Branded.read({});
    } catch {}
    this.self = this;
  }
  static read(o) {
    return o.#x;
  }
  static has(o) {
    return #x in o;
  }
  static {
    Object.freeze(this);
  }
  get #g() {
    return this;
  }
  static touch(o) {
    return o.#g;
  }
}
const p = new Proxy({}, {});
for (const o of [{}, [], () => {}, p, globalThis, Object.freeze({}), new Uint8Array(1), Symbol.prototype]) {
  try {
    new Branded(o);
    Branded.read(o);
    Branded.touch(o);
    new Branded(o);
    throw new Error('reached: a brand twice');
  } catch (e) {
    if (!(e instanceof TypeError)) throw e;
  }
}
