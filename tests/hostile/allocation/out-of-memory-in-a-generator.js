// The refusal is met inside a generator that catches it and yields.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const g = (function* () {
  const all = [];
  for (;;) {
    try {
      for (;;) all.push({});
    } catch {
      all.length = 0;
      yield;
    }
  }
})();
for (;;) g.next();
