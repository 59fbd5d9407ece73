// Rejections that nobody looks at.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
for (let i = 0; i < 10000; i++) Promise.reject(new Error(`nobody hears ${i}`));
await null;
