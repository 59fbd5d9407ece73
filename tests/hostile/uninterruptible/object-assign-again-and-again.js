// A wide object copied in a loop.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const o = {};
for (let i = 0; i < 20000; i++) o[`k${i}`] = i;
for (;;) ({ ...o });
