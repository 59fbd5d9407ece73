// A few megabytes that become gigabytes: they fill the heap, and nothing else.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const small = new Response(new Blob([new Uint8Array(4 << 20)]).stream().pipeThrough(new CompressionStream('gzip')));
const bomb = await small.bytes();
const kept = [];
for (;;) {
  const next = new DecompressionStream('gzip');
  const read = (async () => { for await (const chunk of next.readable) kept.push(chunk); })();
  await new Blob([bomb]).stream().pipeTo(next.writable);
  await read;
}
