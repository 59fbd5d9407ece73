// Each object inherits from the one before.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let o = {};
for (;;) o = Object.create(o, { x: { value: o } });
