// Streams that are begun and dropped: what each holds outside of the heap is bounded by their number.
// expect: 201
// returns: {"views":16}
let views = 0;
for (let i = 0; i < 200; i++) {
  const stream = new CompressionStream('gzip');
  stream.readable.getReader().read().catch(() => {});
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  try {
    await Promise.race([writer.write(new Uint8Array(70000)), new Promise((done) => setTimeout(done, 1))]);
    views++;
  } catch (error) {
    if (!error.message.includes('16 streams')) throw error;
  }
}
return { ...payload, views };
