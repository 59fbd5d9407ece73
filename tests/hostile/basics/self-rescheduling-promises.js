// Each job makes the next.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => Promise.resolve().then(f);
await f();
