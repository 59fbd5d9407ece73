// Async functions that wait for ever.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const never = new Promise(() => {});
const f = async () => {
  const a = new Array(20).fill(0);
  await never;
  return a;
};
for (;;) f();
