// A text read into many more bytes than it has, under another limit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
// memory: 4
const s = `[${'[],'.repeat(100000)}[]]`;
const all = [];
for (;;) all.push(JSON.parse(s));
