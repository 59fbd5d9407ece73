// Megabytes of digits as a number.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = `0.${'1'.repeat(1 << 20)}`;
for (;;) {
  parseFloat(s);
  Number(s);
}
