// Errors that are the causes of errors.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
let e = new Error('first');
for (;;) e = new Error('next', { cause: e });
