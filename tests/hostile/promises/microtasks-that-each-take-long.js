// The clock is looked at between jobs that are short enough each.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => {
  for (let i = 0; i < 500; i++);
  Promise.resolve().then(f);
};
for (let i = 0; i < 100; i++) f();
await new Promise(() => {});
