// this before, without and twice super.
// expect: 201
// timeout: 2000
for (const make of [
  () =>
    class extends Object {
      constructor() {
        return this;
      }
    },
  () =>
    class extends Object {
      constructor() {
        super();
        super();
      }
    },
  () =>
    class extends Object {
      constructor() {
        const f = () => super();
        f();
        try {
          f();
        } catch {}
      }
    },
  () =>
    class extends Object {
      constructor() {
        try {
          this.x;
        } finally {
          super();
        }
      }
    },
]) {
  try {
    new (make())();
  } catch (e) {
    if (!(e instanceof ReferenceError)) throw e;
  }
}
