// The same from the end.
// expect: 504 EXTENSION_TIMEOUT
'a'.repeat(1 << 21).lastIndexOf('a'.repeat(1 << 20) + 'b');
