// The getter of then does not come back.
// expect: 504 EXTENSION_TIMEOUT
await {
  get then() {
    for (;;) {}
  },
};
