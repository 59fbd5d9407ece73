// queueMicrotask in its own callback.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => queueMicrotask(f);
f();
await new Promise(() => {});
