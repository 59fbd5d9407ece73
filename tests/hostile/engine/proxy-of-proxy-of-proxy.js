// Ten thousand proxies around one another, asked once.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
let p = {};
for (let i = 0; i < 10000; i++) p = new Proxy(p, {});
for (const f of [
  () => p.x,
  () => 'x' in p,
  () => Object.keys(p),
  () => {
    p.x = 1;
  },
  () => delete p.x,
  () => Object.getPrototypeOf(p),
  () => Array.isArray(p),
  () => JSON.stringify(p),
  () => Object.isExtensible(p),
]) {
  try {
    f();
  } catch (e) {
    if (!(e instanceof RangeError || e instanceof InternalError)) throw e;
  }
}
