// Small typed arrays by the million.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (;;) all.push(new Float64Array(10));
