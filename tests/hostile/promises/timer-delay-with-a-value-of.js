// A delay whose conversion does not end.
// expect: 504 EXTENSION_TIMEOUT
setTimeout(() => {}, {
  valueOf() {
    for (;;) {}
  },
});
