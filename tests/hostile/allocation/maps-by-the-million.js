// Many small maps.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (;;) all.push(new Map([[1, 2]]), new Set([1]));
