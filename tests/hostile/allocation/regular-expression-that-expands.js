// Counted repeats of counted repeats.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 201 | 400 EXTENSION_ERROR
for (let s = 'a'; ; s = `(?:${s}){9}`) new RegExp(s).test('a');
