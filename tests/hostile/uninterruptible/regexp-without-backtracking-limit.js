// Alternatives that overlap, on a text that does not match.
// expect: 504 EXTENSION_TIMEOUT
/^(?:a|aa|aaa)+$/.test('a'.repeat(60) + '!');
