// Members of an error by the ten thousand.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
// memory: 64
const e = new Error('small');
for (let i = 0; i < 20000; i++) e[`field ${i}`] = 'x'.repeat(1000);
throw e;
