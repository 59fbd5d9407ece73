// A match that gives a million groups and indices.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (;;) all.push(...'abcdefghij'.repeat(1000).matchAll(/(.)(.)/dg));
