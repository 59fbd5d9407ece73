// Each job makes two (quickjs-ng#810: a promise swallowed the interrupt).
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => {
  const p = Promise.resolve();
  p.then(f);
  p.then(f);
};
f();
await new Promise(() => {});
