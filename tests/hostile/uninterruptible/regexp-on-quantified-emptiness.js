// Quantifiers over what may be empty.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
/(?:(?:a*)*)*b/.test('a'.repeat(5000));
