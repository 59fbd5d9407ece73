// A number that doubles its length at every turn.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
let n = 3n;
for (;;) n *= n;
