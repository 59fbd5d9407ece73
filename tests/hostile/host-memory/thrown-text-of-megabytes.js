// A text is thrown instead of an error.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
// timeout: 2000
throw 'x'.repeat(16 << 20);
