// One header that is always continued.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const h = new Headers();
for (;;) h.append('x', 'v'.repeat(10000));
