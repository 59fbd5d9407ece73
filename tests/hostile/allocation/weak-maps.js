// Weak keys that something holds.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
const m = new WeakMap();
for (;;) {
  const k = {};
  all.push(k);
  m.set(k, { k, list: new Array(20).fill(k) });
}
