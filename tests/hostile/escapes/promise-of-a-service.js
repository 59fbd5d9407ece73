// The promise that a service gives is a plain one, whose resolvers nobody can take.
// expect: 201
// timeout: 2000
const made = [];
const P = Promise;
globalThis.Promise = class extends P {
  constructor(f) {
    super((a, b) => {
      made.push([a, b]);
      f(a, b);
    });
  }
};
const p = (await services.items('log')).readByQuery({ limit: 1 });
globalThis.Promise = P;
if (made.length) throw new Error('reached: the resolvers of a service');
if (Object.getPrototypeOf(p) !== P.prototype) throw new Error('reached: another promise');
await p;
