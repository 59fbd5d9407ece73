// A generator that holds itself and is collected in the middle of a try.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 201
for (let i = 0; i < 20000; i++) {
  const box = {};
  box.g = (function* () {
    try {
      yield box;
    } finally {
      yield box;
    }
  })();
  box.g.next();
}
