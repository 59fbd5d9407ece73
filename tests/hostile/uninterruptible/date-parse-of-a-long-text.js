// Megabytes that are no date.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = ' 1'.repeat(1 << 20);
for (;;) Date.parse(s);
