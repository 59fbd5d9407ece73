// Parentheses deeper than any stack.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
for (const open of ['(', '(?:', '(?=', '(?<!', '[']) {
  try {
    new RegExp(open.repeat(200000));
  } catch {}
}
