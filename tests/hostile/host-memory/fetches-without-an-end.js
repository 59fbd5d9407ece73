// Requests that are made faster than they are refused.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
for (;;) fetch('http://10.0.0.1/' + 'x'.repeat(1000)).catch(() => {});
