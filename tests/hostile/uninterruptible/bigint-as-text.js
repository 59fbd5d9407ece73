// A number of a million digits written out.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const n = 3n ** 600000n;
for (;;) n.toString();
