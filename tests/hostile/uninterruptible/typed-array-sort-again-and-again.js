// A native sort of a million numbers in a loop.
// expect: 504 EXTENSION_TIMEOUT
const a = new Float64Array(1 << 18).map((_, i) => (i * 7919) % 1000003);
for (;;) {
  a.sort();
  a.reverse();
}
