// extends with a getter, a proxy, null, and a prototype that changes during construction.
// expect: 201
// timeout: 2000
for (const parent of [
  null,
  new Proxy(class {}, { get: (t, k) => (k === 'prototype' ? null : t[k]) }),
  function () {}.bind?.(),
  () => {},
  async () => {},
  class {
    constructor() {
      Object.setPrototypeOf(new.target, null);
    }
  },
]) {
  try {
    class A extends parent {
      x = super.toString;
      constructor() {
        super();
        super.y = 1;
      }
    }
    new A();
  } catch {}
}
