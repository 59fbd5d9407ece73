// A stream that is pulled without end.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const stream = new ReadableStream({
  pull(c) {
    c.enqueue('x');
  },
});
for await (const x of stream) {
}
