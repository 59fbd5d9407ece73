// Async functions that await one another for ever.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const f = async (n) => {
  await null;
  return f(n + 1);
};
await f(0);
