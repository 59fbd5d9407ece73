// Expressions that are all different.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (let i = 0; ; i++) all.push(new RegExp(`(a${i}){1,200}[\\w-]*`, 'giu'));
