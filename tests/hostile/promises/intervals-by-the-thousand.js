// Thousands of intervals that all fire at once.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
for (let i = 0; i < 9000; i++) setInterval(() => {}, 0);
await new Promise(() => {});
