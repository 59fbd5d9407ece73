// Calls through thousands of proxies and bound functions.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
let f = () => 1;
for (let i = 0; i < 5000; i++) f = i % 2 ? new Proxy(f, {}) : f.bind(null, i);
try {
  f();
} catch (e) {
  if (!(e instanceof RangeError || e instanceof InternalError)) throw e;
}
try {
  new f();
} catch {}
