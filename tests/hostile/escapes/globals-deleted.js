// All globals gone, the services still work.
// expect: 201
// timeout: 2000
const log = await services.items('log');
const all = globalThis,
  keys = Reflect.ownKeys(all),
  del = Reflect.deleteProperty,
  A = Array;
for (let i = 0; i < keys.length; i++) del(all, keys[i]);
const rows = await log.readByQuery({ limit: 1 });
if (!A.isArray(rows)) throw 'reached: no rows';
