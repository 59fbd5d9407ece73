// Weak references to one another, to proxies and to functions, collected in between.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let last = {};
for (let i = 0; i < 50000; i++) {
  const w = new WeakRef(last);
  last = i % 3 ? { w } : new Proxy(() => w, {});
  if (i % 1000 === 0) w.deref();
}
