// A megabyte of expression.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
for (const part of ['a', 'a|', '[a-z]', '(?:a)?', '\\w*?']) {
  try {
    new RegExp(part.repeat(50000)).test('b');
  } catch {}
}
