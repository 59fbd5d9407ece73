// An await on something that keeps its callbacks.
// expect: 504 EXTENSION_TIMEOUT
await { then() {} };
