// A finally that makes the next promise.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => Promise.resolve().finally(() => f());
await f();
