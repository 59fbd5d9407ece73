// Array.from with a constructor that keeps nothing.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
Array.from.call(
  function () {
    return new Proxy({}, { defineProperty: () => true, set: () => true });
  },
  { length: 2 ** 50 },
);
