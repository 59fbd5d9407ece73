// Slices of a long text.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
let s = 'x';
while (s.length < 2 ** 29) s += s;
const all = [];
for (;;) all.push(s.slice(1) + all.length);
