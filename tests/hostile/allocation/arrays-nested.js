// A list in a list in a list.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let a = [];
for (;;) a = [a];
