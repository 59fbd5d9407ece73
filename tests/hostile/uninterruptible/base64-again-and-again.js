// btoa and atob of megabytes.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const s = 'x'.repeat(1 << 20);
for (;;) atob(btoa(s));
