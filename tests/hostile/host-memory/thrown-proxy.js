// Every question about what was thrown throws.
// expect: 400 EXTENSION_ERROR
// timeout: 2000
throw new Proxy(new Error('x'), {
  get() {
    throw 1;
  },
  getPrototypeOf() {
    throw 2;
  },
  ownKeys() {
    throw 3;
  },
});
