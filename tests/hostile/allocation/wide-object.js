// One object with a million names.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const o = {};
for (let i = 0; ; i++) o[`key number ${i}`] = i;
