// Errors, each with its stack as text.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
const deep = (n) => (n ? deep(n - 1) : new Error('x'));
for (;;) all.push(deep(50));
