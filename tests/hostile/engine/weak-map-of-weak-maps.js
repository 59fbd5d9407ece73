// Keys that are only alive through the map that they are a key of.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let m = new WeakMap();
for (let i = 0; i < 20000; i++) {
  const k = new WeakMap();
  k.set(k, m);
  m.set(k, k);
  if (i % 5 === 0) m = k;
  m.delete(m);
}
