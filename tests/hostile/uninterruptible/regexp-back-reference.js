// Back references that can be cut anywhere.
// expect: 504 EXTENSION_TIMEOUT
/^(.*)(.*)(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5\6\7x$/.test('ab'.repeat(120));
