// Reading what was thrown does not end.
// expect: 504 EXTENSION_TIMEOUT
throw {
  get message() {
    for (;;) {}
  },
};
