// A species of promises that the author made sees nothing but that something is done.
// expect: 201
// timeout: 2000
const made = [];
Object.defineProperty(Promise, Symbol.species, {
  configurable: true,
  get() {
    made.push(1);
    return function (f) {
      f(
        (v) => made.push(v),
        () => {},
      );
    };
  },
});
await (await services.items('log')).readByQuery({ limit: 1 });
if (made.some((m) => m !== 1 && m !== undefined)) throw new Error('reached: a value of the glue');
