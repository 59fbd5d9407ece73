// Setters of common names catch nothing that the glue writes.
// expect: 201
// timeout: 2000
const caught = [];
const names = [
  'resolve',
  'reject',
  'error',
  'json',
  'id',
  'method',
  'callback',
  'rest',
  'wait',
  'repeat',
  'closed',
  'host',
  'state',
  'name',
  'message',
  'stack',
  'code',
  'status',
  'then',
  'value',
  'done',
  'next',
  'signal',
  'body',
  'headers',
  'tx',
  'scope',
  '0',
  '1',
  'length',
];
const own = (o, k, value) => Object.defineProperty(o, k, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
const watch = (o, k) =>
  Object.defineProperty(o, k, {
    __proto__: null,
    configurable: true,
    get() {
      return undefined;
    },
    set(v) {
      if (typeof v === 'function') own(caught, caught.length, k);
      own(this, k, v);
    },
  });
for (const k of names) watch(Object.prototype, k);
watch(Array.prototype, 0);
const log = await services.items('log');
await log.readByQuery({ limit: 1 }).catch(() => {});
await new Promise((r) => setTimeout(() => r(), 1));
for (const k of names) delete Object.prototype[k];
delete Array.prototype[0];
const foreign = caught.filter((k) => k !== 'then');
if (foreign.length) throw new Error(`reached: ${foreign}`);
