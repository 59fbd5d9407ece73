// A wait that no code runs in.
// expect: 504 EXTENSION_TIMEOUT
await new Promise(() => {});
