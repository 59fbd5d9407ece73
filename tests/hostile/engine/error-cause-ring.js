// Causes that are one another, thrown.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_FAILED
// timeout: 2000
const a = new Error('first'),
  b = new Error('second', { cause: a });
a.cause = b;
throw a;
