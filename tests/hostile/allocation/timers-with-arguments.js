// Timers that carry megabytes.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
for (;;) setTimeout(() => {}, 1e6, new Array(10000).fill(1));
