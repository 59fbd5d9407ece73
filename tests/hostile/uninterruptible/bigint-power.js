// One operator that never comes back.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
for (let n = 7n; ; n++) n ** 400000n;
