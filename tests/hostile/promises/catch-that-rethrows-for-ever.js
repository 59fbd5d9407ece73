// Every rejection is caught and thrown again.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => Promise.reject(1).catch(() => f());
await f();
