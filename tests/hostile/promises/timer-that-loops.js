// A callback without an end, after the body is waiting.
// expect: 504 EXTENSION_TIMEOUT
setTimeout(() => {
  while (true) {}
}, 0);
await new Promise(() => {});
