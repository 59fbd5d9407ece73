// Running out of memory is caught and begun again.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (;;) {
  try {
    all.push(new Array(100000).fill(1));
  } catch {
    all.length = 0;
  }
}
