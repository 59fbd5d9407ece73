// Promise.all reads what never ends.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
await Promise.all(
  (function* () {
    for (;;) yield 1;
  })(),
);
