// Chunks that nobody takes.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let c;
const s = new ReadableStream({
  start(controller) {
    c = controller;
  },
});
for (;;) c.enqueue('x'.repeat(10000));
