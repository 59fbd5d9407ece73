// Options that were never given are not taken from a patched prototype.
// expect: 201
// timeout: 2000
let asked = 0;
const names = [
  'elevated',
  'system',
  'tx',
  'emitEvents',
  'collection',
  'accountability',
  'closed',
  'resolve',
  'reject',
  'get',
  'set',
  'value',
  'enumerable',
  'toJSON',
  'json',
  'method',
  'id',
];
const own = (o, k, value) => Object.defineProperty(o, k, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
for (const k of names)
  Object.defineProperty(Object.prototype, k, {
    __proto__: null,
    configurable: true,
    get() {
      asked++;
      return undefined;
    },
    set(v) {
      own(this, k, v);
    },
  });
const log = await services.items('log');
const rows = await log.readByQuery({ limit: 1 });
for (const k of names) delete Object.prototype[k];
if (!Array.isArray(rows)) throw new Error('reached: no rows');
