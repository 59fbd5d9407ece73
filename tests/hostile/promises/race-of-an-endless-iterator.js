// Promise.race reads it, too.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
await Promise.race(
  (function* () {
    for (;;) yield new Promise(() => {});
  })(),
);
