// Two numbers of a million digits, multiplied in a loop.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const n = 3n ** 600000n;
for (;;) n * n;
