// Templates in templates.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let s = 'x';
for (;;) s = `${s}${s}${s.length}`;
