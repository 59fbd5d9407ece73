// A listener of the call's own signal that does not come back.
// expect: 504 EXTENSION_TIMEOUT
context.signal.addEventListener('abort', () => {
  while (true) {}
});
await new Promise(() => {});
