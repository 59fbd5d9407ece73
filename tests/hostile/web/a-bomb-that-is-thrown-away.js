// The same, read and forgotten: then the time is what ends it.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const bomb = await new Response(new Blob([new Uint8Array(4 << 20)]).stream().pipeThrough(new CompressionStream('deflate'))).bytes();
for (;;) {
  const next = new DecompressionStream('deflate');
  const read = (async () => { for await (const chunk of next.readable) void chunk; })();
  await new Blob([bomb]).stream().pipeTo(next.writable);
  await read;
}
