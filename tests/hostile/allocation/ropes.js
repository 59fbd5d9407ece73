// A text that is joined and never read.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 400 EXTENSION_ERROR
let s = 'x';
for (;;) s = s + s + 'y';
