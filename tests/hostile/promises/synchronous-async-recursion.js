// Async functions that call themselves before their first await.
// expect: 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = async () => {
  await f();
};
await f();
