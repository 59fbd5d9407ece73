// Array.prototype.sort on a proxy that answers something else every time.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
let n = 0;
const p = new Proxy(
  { length: 300 },
  {
    get(t, k) {
      return k === 'length' ? 300 : ++n % 3 ? n : undefined;
    },
    has: () => n++ % 2 === 0,
    deleteProperty: () => true,
    set: () => true,
  },
);
try {
  Array.prototype.sort.call(p, () => 1 - (n % 3));
} catch {}
