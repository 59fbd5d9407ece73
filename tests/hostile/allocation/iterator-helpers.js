// Helpers of helpers.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let it = [1].values();
for (;;) it = it.map((x) => x);
