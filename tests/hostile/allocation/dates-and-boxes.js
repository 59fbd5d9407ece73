// Small boxes of all kinds.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (let i = 0; ; i++) all.push(new Date(i), Object(i), Object(`${i}`), Object(true), Object(1n));
