// Errors whose message, cause and stack are accessors on odd prototypes.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 200; n++) {
  const e = new Error('x', {
    get cause() {
      return e;
    },
  });
  Object.setPrototypeOf(e, new Proxy(Error.prototype, {}));
  try {
    Object.defineProperty(e, 'message', {
      get() {
        return new Error(e).stack;
      },
    });
  } catch {}
  try {
    String(e);
    e.stack;
    Error.captureStackTrace?.(e, e);
  } catch {}
}
