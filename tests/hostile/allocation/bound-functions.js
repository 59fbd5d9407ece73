// Functions bound to functions.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let f = () => {};
for (;;) f = f.bind(f, f, f);
