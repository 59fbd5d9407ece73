// Nested quantifiers on a text that does not match.
// expect: 504 EXTENSION_TIMEOUT
/^(a+)+$/.test('a'.repeat(40) + 'b');
