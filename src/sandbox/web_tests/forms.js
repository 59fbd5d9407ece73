await check('Blob', async () => {
  const b = new Blob(['aé', new Uint8Array([1, 2]), new Blob(['x']), new Uint8Array([9, 3, 9]).subarray(1, 2).buffer.slice(0, 1), 5], { type: 'Text/Plain' });
  eq([b.size, b.type, await b.text()], [8, 'text/plain', 'aé\x01\x02x\t5']);
  eq([...await b.bytes()].length, 8); ok(await b.arrayBuffer() instanceof ArrayBuffer, 'a buffer');
  eq(await b.slice(1, 3).text(), 'é'); eq([b.slice(-2).size, b.slice(2, 1).size, b.slice(0, -1, 'A/B').type, b.slice(NaN).size, b.slice(0, 99).size], [2, 0, 'a/b', 8, 8]);
  eq(await b.slice(1, 6).slice(2, 4).bytes(), new Uint8Array([1, 2]));
  eq(await new Response(b.stream()).bytes(), await b.bytes());
  eq([new Blob().size, new Blob([], { type: 'é' }).type, await new Blob(['a\r\nb\rc'], { endings: 'native' }).text()], [0, '', 'a\nb\nc']);
  const bytes1 = new Uint8Array([1]); const c = new Blob([bytes1]); bytes1[0] = 9; (await c.bytes())[0] = 8; eq([...await c.bytes()], [1]);
  throws(() => new Blob('text'), TypeError); throws(() => new Blob(5), TypeError); throws(() => new Blob([], 5), TypeError); throws(() => new Blob([], { endings: 'x' }), TypeError);
  eq(await new Blob(['\uFEFFx']).text(), 'x'); eq(new Blob(new Set(['ab'])).size, 2);
});
await check('File', async () => {
  const f = new File(['data'], 'ä.txt', { type: 'a/b', lastModified: 7.9 });
  eq([f.name, f.lastModified, f.type, f.size, f instanceof Blob, `${Object.prototype.toString.call(f)}`], ['ä.txt', 7, 'a/b', 4, true, '[object File]']);
  ok(new File([], 'n').lastModified > 1e12, 'now'); throws(() => new File([]), TypeError); eq(f.slice(1) instanceof File, false);
});
await check('FormData', () => {
  const f = new FormData(); f.append('a', 1); f.append('a', '2'); f.append('b', new Blob(['x'], { type: 'c/d' })); f.append('b', new Blob(['y']), 'y.txt');
  eq([f.get('a'), f.getAll('a'), f.has('z'), f.get('z'), f.get('b').name, f.get('b').type, f.getAll('b')[1].name], ['1', ['1', '2'], false, null, 'blob', 'c/d', 'y.txt']);
  const own = new File(['q'], 'q', { lastModified: 3 }); f.set('a', own); ok(f.get('a') === own, 'the same file'); f.append('r', own, 'other'); eq([f.get('r').name, f.get('r').lastModified], ['other', 3]);
  f.delete('b'); eq([...f.keys()], ['a', 'r']); f.set('new', 'n'); eq([...f].length, 3); eq([...f.values()][2], 'n'); let n = 0; f.forEach(() => n++); eq(n, 3);
  throws(() => f.append('a'), TypeError); throws(() => f.append('a', 'text', 'name'), TypeError); throws(() => new FormData({}), TypeError);
  eq(Object.prototype.toString.call(f.entries()), '[object FormData Iterator]');
});
await check('there and back', async () => {
  const f = new FormData(); f.append('plain "q"\n', 'line\nüber'); f.append('file', new File([new Uint8Array([0, 255, 13, 10, 45, 45])], 'n "x".bin', { type: 'app/x' })); f.append('e', '');
  const r = new Response(f); const type = r.headers.get('content-type'); ok(type.startsWith('multipart/form-data; boundary=----form-'), type);
  const g = await r.formData(); eq([...g.keys()], ['plain "q"\r\n', 'file', 'e']); eq(g.get('plain "q"\r\n'), 'line\r\nüber'); eq(g.get('e'), '');
  const file = g.get('file'); eq([file.name, file.type, [...await file.bytes()]], ['n "x".bin', 'app/x', [0, 255, 13, 10, 45, 45]]);
  const raw = await new Response(f).text(); ok(raw.includes('name="plain %22q%22%0D%0A"'), 'escaped');
  ok(new Response(f).headers.get('content-type') !== type, 'a boundary of its own');
  const q = await new Request('http://h/', { method: 'POST', body: f }).formData(); eq([...q].length, 3);
});
await check('reading what others send', async () => {
  const make = (body, type) => new Response(body, { headers: { 'content-type': type } }).formData();
  const form = await make('--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X\r\ncontent-disposition: form-data; name=f; filename="f.txt"\r\n\r\ntext\r\n--X--\r\n', 'multipart/form-data; charset=utf-8; boundary="X"');
  eq([form.get('a'), form.get('f').name, form.get('f').type, await form.get('f').text()], ['1', 'f.txt', 'text/plain', 'text']);
  eq([...await make('a=1&b=%C3%A9+x', 'application/x-www-form-urlencoded; charset=UTF-8')], [['a', '1'], ['b', 'é x']]);
  eq([...await new Response(new URLSearchParams('k=v')).formData()], [['k', 'v']]);
  await rejects(make('x', 'text/plain'), TypeError, 'text/plain'); await rejects(make('x', 'multipart/form-data'), TypeError, 'boundary'); await rejects(make('x', 'multipart/form-data; boundary=q'), TypeError, 'valid');
  await rejects(new Response(new Uint8Array(1)).formData(), TypeError, 'missing');
});
