// A hundred causes with large messages.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
// memory: 64
let e = new Error('x'.repeat(100000));
for (let i = 0; i < 100; i++) e = new Error('y'.repeat(100000), { cause: e });
throw e;
