// Every method of the common prototypes is replaced by a recorder; no service and no timer calls one with what isn't the author's.
// expect: 201
// timeout: 2000
const secrets = [];
const keep = Reflect.ownKeys,
  def = Object.defineProperty,
  isArray = Array.isArray,
  apply = Reflect.apply,
  gopd = Object.getOwnPropertyDescriptor;
const undo = [];
for (const proto of [
  Array.prototype,
  Map.prototype,
  WeakMap.prototype,
  Set.prototype,
  Promise.prototype,
  Function.prototype,
  RegExp.prototype,
  Object,
  Reflect,
  JSON,
  Promise,
]) {
  const keys = keep(proto);
  for (let i = 0; i < keys.length; i++) {
    const k = keys[i];
    const d = gopd(proto, k);
    if (k === 'constructor' || !d.configurable || typeof d.value !== 'function') continue;
    const real = d.value;
    undo[undo.length] = [proto, k, d];
    def(proto, k, {
      ...d,
      value: function (...args) {
        secrets[secrets.length] = [k, this, args];
        return apply(real, this, args);
      },
    });
  }
}
const log = await services.items('log');
secrets.length = 0;
await log.readByQuery({ limit: 1 });
for (let i = 0; i < undo.length; i++) def(undo[i][0], undo[i][1], undo[i][2]);
for (const [k, self] of secrets)
  if (typeof self === 'object' && self !== null && 'resolve' in self && 'reject' in self) throw new Error(`reached: by ${String(k)}`);
