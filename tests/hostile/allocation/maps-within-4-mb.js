// One map, under another limit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
// memory: 4
const m = new Map();
for (let i = 0; ; i++) m.set({ i }, `${i}`);
