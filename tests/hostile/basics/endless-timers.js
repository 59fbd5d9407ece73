// Each timer sets the next; with a transaction open the first is refused.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
// expect after a write: 500 EXTENSION_FAILED
const f = () => setTimeout(f, 0);
f();
await new Promise(() => {});
