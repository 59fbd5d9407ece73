// Species and constructors of the author's own, around the glue's promises.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
Promise.prototype.constructor = function (executor) {
  executor(
    () => {
      for (;;) {}
    },
    () => {},
  );
};
Promise.prototype.then = function () {
  for (;;) {}
};
await null;
