// The same search inside split.
// expect: 504 EXTENSION_TIMEOUT
'a'.repeat(1 << 21).split('a'.repeat(1 << 20) + 'b');
