// A rope of a million levels, flattened at the end.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 201
let s = '';
for (let i = 0; i < 1e5; i++) s = `${i}` + s;
s.at(5);
s.indexOf('none');
