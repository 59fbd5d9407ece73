// One object with a million names, under another limit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
// memory: 4
const o = {};
for (let i = 0; ; i++) o[`key number ${i}`] = i;
