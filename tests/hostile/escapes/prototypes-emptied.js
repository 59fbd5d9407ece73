// All methods of all prototypes gone, but then and concat that the language itself goes by: the services still work.
// expect: 201
// timeout: 2000
const log = await services.items('log');
const { ownKeys, deleteProperty } = Reflect;
const all = [Array, Object, Map, WeakMap, Set, Promise, RegExp, String, Number, Error, Uint8Array, Date, Symbol];
for (let n = 0; n < all.length; n++) {
  const C = all[n],
    keys = ownKeys(C.prototype);
  for (let i = 0; i < keys.length; i++) if (keys[i] !== 'then' && keys[i] !== 'concat') deleteProperty(C.prototype, keys[i]);
}
await log.readByQuery({ limit: 1 });
