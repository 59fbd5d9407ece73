// Errors nobody hears, each with a megabyte of text for the log.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
for (let i = 0; i < 200; i++)
  setTimeout(() => {
    throw new Error('x'.repeat(1 << 20));
  }, 0);
await new Promise((r) => setTimeout(r, 50));
