// Backtracking within a look behind.
// expect: 504 EXTENSION_TIMEOUT
/(?<=^b(?:a+)+)$/.test('a'.repeat(50));
