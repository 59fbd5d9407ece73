// A chain that is built before it may run.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 201
let p = Promise.resolve(0);
for (let i = 0; i < 1e6; i++) p = p.then((n) => n + 1);
await p;
