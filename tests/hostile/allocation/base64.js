// Texts a third longer each time.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 400 EXTENSION_ERROR
let s = 'x'.repeat(1000);
for (;;) s = btoa(s);
