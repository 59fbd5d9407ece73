// The same, divided.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const n = 3n ** 500000n,
  d = 7n ** 100000n;
for (;;) n / d;
