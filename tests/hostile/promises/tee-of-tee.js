// Every branch of a stream is split again.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
let streams = [
  new ReadableStream({
    pull(c) {
      c.enqueue('x'.repeat(1000));
    },
  }),
];
for (;;) {
  streams = streams.flatMap((s) => s.tee());
  await null;
}
