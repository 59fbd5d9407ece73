// Constructors that are proxies of bound functions of classes.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
class A extends Array {
  static get [Symbol.species]() {
    return new Proxy(
      class B extends A {
        constructor(n) {
          super(n);
          this.length = 0;
        }
      }.bind(),
      {},
    );
  }
}
const a = A.from([1, 2, 3]);
for (const f of [
  () => a.map((x) => x),
  () => a.filter(() => 1),
  () => a.splice(0, 2),
  () => a.slice(),
  () => a.concat([1]),
  () => a.flat(),
]) {
  try {
    f();
  } catch {}
}
