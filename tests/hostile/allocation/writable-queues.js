// Writes that nobody finishes.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const w = new WritableStream({ write: () => new Promise(() => {}) }).getWriter();
for (;;) w.write('x'.repeat(10000)).catch(() => {});
