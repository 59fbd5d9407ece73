// A message that nobody wants to carry.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
// timeout: 2000
throw new Error('x'.repeat(16 << 20));
