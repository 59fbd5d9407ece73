// A look at every half of a pair.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = '\ud83d\ude00'.repeat(1 << 19);
for (;;) {
  s.isWellFormed();
  s.toWellFormed();
}
