// The refusal is met in a callback of a native.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
const a = Array.from({ length: 1000 }, (_, i) => i);
for (;;) {
  try {
    a.sort(() => {
      for (;;) all.push(new Array(100));
    });
  } catch {
    all.length = 0;
  }
}
