const through = async (data, stream) => {
  const chunks = await readAll(new Blob([data]).stream().pipeThrough(stream));
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
};
const base64 = (t) => Uint8Array.from(atob(t), (c) => c.charCodeAt(0));
const random = (length) => { const all = new Uint8Array(length); for (let at = 0; at < length; at += 65536) crypto.getRandomValues(all.subarray(at, at + 65536)); return all; };

await check('there and back', async () => {
  for (const format of ['gzip', 'deflate', 'deflate-raw']) {
    for (const data of [new Uint8Array(0), bytes('text'), random(300000), new Uint8Array(3000000)]) {
      const small = await through(data, new CompressionStream(format));
      if (data.length > 1000000) ok(small.length < 10000, 'smaller');
      const back = await through(small, new DecompressionStream(format));
      ok(back.length === data.length && back.every((x, i) => x === data[i]), `the same by ${format}`);
      const part = new DecompressionStream(format); const writer = part.writable.getWriter(); const all = readAll(part.readable);
      for (let at = 0; at < Math.min(small.length, 200); at++) writer.write(small.subarray(at, at + 1));
      if (small.length > 200) writer.write(small.subarray(200));
      writer.close(); let total = 0; for (const chunk of await all) total += chunk.length; eq(total, data.length, `byte by byte, ${format}`);
    }
  }
});
await check('what others have compressed', async () => {
  // By zlib: "hello, hello, hello" in each format, the first with a name in its header.
  const by = { gzip: 'H4sICAAAAAAC/2EudHh0AMtIzcnJ11HIQKIAn6HKCRMAAAA=', deflate: 'eJzLSM3JyddRyECiAEQoBtU=', 'deflate-raw': 'y0jNycnXUchAogA=' };
  for (const format in by) eq(text(await through(base64(by[format]), new DecompressionStream(format))), 'hello, hello, hello', format);
});
await check('as it comes', async () => {
  const s = new CompressionStream('gzip'); const d = new DecompressionStream('gzip');
  const w = s.writable.getWriter(); w.write(bytes('line')); w.close(); const packed = new Uint8Array(await new Blob(await readAll(s.readable)).arrayBuffer());
  const writer = d.writable.getWriter(); const reader = d.readable.getReader();
  writer.write(packed.subarray(0, packed.length - 8)); eq(text((await reader.read()).value), 'line', 'before the end of the file');
  await reader.cancel();
});
await check('what is wrong', async () => {
  throws(() => new CompressionStream('br'), TypeError, "'gzip'"); throws(() => new DecompressionStream(), TypeError); throws(() => CompressionStream('gzip'), TypeError);
  const good = await through(bytes('some text that is long enough'), new CompressionStream('gzip'));
  const fails = (data, format, why) => rejects(through(data, new DecompressionStream(format)), TypeError, why);
  await fails(good.subarray(0, good.length - 1), 'gzip', 'too early'); await fails(new Uint8Array([...good, 0]), 'gzip', 'after the end');
  const off = good.slice(); off[off.length - 6] ^= 1; await fails(off, 'gzip'); await fails(bytes('no gzip at all'), 'gzip', 'corrupt');
  for (const format of ['deflate', 'deflate-raw']) {
    const data = await through(bytes('some text that is long enough'), new CompressionStream(format));
    await fails(data.subarray(0, data.length - 5), format, 'too early'); await fails(new Uint8Array([...data, 1, 2, 3]), format, 'after the end'); await fails(new Uint8Array(0), format, 'too early');
  }
  await fails(bytes('no zlib'), 'deflate', 'corrupt');
  const s = new CompressionStream('gzip'); const w = s.writable.getWriter(); w.closed.catch(() => {}); s.readable.getReader().read().catch(() => {}); await rejects(w.write('text'), TypeError, 'takes an ArrayBuffer');
});
await check('few at a time', async () => {
  const open = [];
  for (let i = 0; i < 16; i++) { const s = new CompressionStream('gzip'); const w = s.writable.getWriter(); const r = s.readable.getReader(); w.write(bytes('x')); await r.read(); open.push([w, r]); }
  const more = new CompressionStream('gzip'); const w = more.writable.getWriter(); w.closed.catch(() => {}); more.readable.getReader().read().catch(() => {}); await rejects(w.write(bytes('x')), TypeError, '16 streams');
  for (const [w, r] of open) { const all = w.close(); while (!(await r.read()).done); await all; }
  eq(text(await through(await through(bytes('again'), new CompressionStream('gzip')), new DecompressionStream('gzip'))), 'again');
});
