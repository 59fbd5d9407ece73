await check('Headers', () => {
  const h = new Headers({ 'Content-Type': ' a/b ', 'x-b': 1 }); h.append('X-A', '1'); h.append('x-a', '2'); h.append('Set-Cookie', 'a=1'); h.append('set-cookie', 'b=2');
  eq([h.get('content-type'), h.get('X-a'), h.get('none'), h.has('x-A'), h.get('set-cookie'), h.getSetCookie()], ['a/b', '1, 2', null, true, 'a=1, b=2', ['a=1', 'b=2']]);
  eq([...h], [['content-type', 'a/b'], ['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-a', '1, 2'], ['x-b', '1']]);
  h.set('x-a', 'new'); h.delete('X-B'); h.set('n', ''); eq([...h.keys()], ['content-type', 'n', 'set-cookie', 'set-cookie', 'x-a']); eq([...h.values()][1], '');
  eq([...new Headers(h)].length, 5); eq(new Headers([['a', 'b'], ['a', 'c']]).get('a'), 'b, c'); eq(new Headers(new Map([['m', 'v']])).get('m'), 'v');
  for (const name of ['', 'a b', 'é', 'a:', '\n']) { throws(() => h.append(name, 'x'), TypeError, 'header name'); throws(() => h.get(name), TypeError); throws(() => h.has(name), TypeError); throws(() => h.delete(name), TypeError); }
  for (const value of ['a\nb', 'a\rb', 'a\0b', 'Ā', '😀']) throws(() => h.set('x', value), TypeError, 'header x');
  h.set('x', '\n é\t'); eq(h.get('x'), 'é');
  throws(() => new Headers(null), TypeError); throws(() => new Headers('x'), TypeError); throws(() => new Headers([['a']]), TypeError); throws(() => h.append('a'), TypeError); throws(() => Headers.prototype.get.call({}, 'a'), TypeError);
  const seen = []; h.forEach((value, name) => seen.push(name)); eq(seen.length, 6); eq(Object.prototype.toString.call(h), '[object Headers]'); eq(Object.prototype.toString.call(h.entries()), '[object Headers Iterator]');
  const names = []; for (const [n] of h) { names.push(n); h.delete('x-a'); } eq(names.includes('x-a'), false);
  class Mine extends Headers { get(n) { return super.get(n) + '!'; } } eq(new Mine({ a: 1 }).get('a'), '1!'); ok(new Mine() instanceof Headers, 'a subclass');
});
await check('Response', async () => {
  const r = new Response('héllo', { status: 201, statusText: 'Made', headers: { a: 'b' } });
  eq([r.status, r.ok, r.statusText, r.headers.get('content-type'), r.headers.get('a'), r.type, r.url, r.redirected, r.bodyUsed], [201, true, 'Made', 'text/plain;charset=UTF-8', 'b', 'default', '', false, false]);
  eq(await r.text(), 'héllo'); eq(r.bodyUsed, true); await rejects(r.text(), TypeError, 'clone()'); ok(r.body instanceof ReadableStream && (await r.body.getReader().read()).done, 'a spent stream');
  eq([new Response().body, new Response(null).bodyUsed, await new Response().text(), new Response().headers.get('content-type')], [null, false, '', null]); eq(new Response(undefined).body, null);
  eq(new Response('x', { headers: { 'Content-Type': 'mine' } }).headers.get('content-type'), 'mine');
  for (const status of [199, 600, 0, 'x']) throws(() => new Response('', { status }), RangeError, '200 to 599');
  for (const status of [204, 205, 304]) { throws(() => new Response('', { status }), TypeError, 'no body'); eq(new Response(null, { status }).status, status); }
  throws(() => new Response('', { statusText: 'a\nb' }), TypeError); throws(() => Response('x'), TypeError);
  const j = Response.json({ a: [1] }, { status: 202, headers: { x: 'y' } }); eq([j.status, j.headers.get('content-type'), j.headers.get('x'), await j.json()], [202, 'application/json', 'y', { a: [1] }]);
  throws(() => Response.json(undefined), TypeError); throws(() => Response.json(1n), TypeError); eq(Response.json(1, { headers: { 'content-type': 'x' } }).headers.get('content-type'), 'x');
  const d = Response.redirect('http://h/a b', 307); eq([d.status, d.headers.get('location'), d.ok], [307, 'http://h/a%20b', false]); throws(() => d.headers.set('a', 'b'), TypeError, 'new Headers');
  throws(() => Response.redirect('/path'), TypeError, 'location'); throws(() => Response.redirect('http://h', 200), RangeError); eq([Response.error().type, Response.error().status], ['error', 0]);
  class Mine extends Response { constructor(x) { super(x, { status: 418 }); } } eq([new Mine('t').status, new Mine('t') instanceof Response, await new Mine('t').text()], [418, true, 't']);
  eq(new Response('x', new Response('y', { status: 203, headers: { k: 'v' } })).headers.get('k'), 'v');
});
await check('bodies', async () => {
  const buffer = new Uint8Array([1, 2, 3]); const r = new Response(buffer.subarray(1)); buffer[1] = 9; eq([...await r.bytes()], [2, 3]);
  eq(new Uint8Array(await new Response(buffer.buffer).arrayBuffer()).length, 3); eq(await new Response(new DataView(buffer.buffer, 2)).bytes(), new Uint8Array([3]));
  eq(await new Response('\uFEFF{"a":1}').json(), { a: 1 }); eq(await new Response(bytes('\uFEFF[1]')).json(), [1]); await rejects(new Response('{').json(), SyntaxError); await rejects(new Response(bytes('{')).json(), SyntaxError); await rejects(new Response().json(), SyntaxError);
  const b = await new Response('x', { headers: { 'content-type': 'A/B; c=D' } }).blob(); eq([b.type, await b.text(), (await new Response(new Uint8Array(2)).blob()).type], ['a/b; c=d', 'x', '']);
  eq(new Response(new Blob(['x'], { type: 'q/r' })).headers.get('content-type'), 'q/r'); eq(new Response(new Blob(['x'])).headers.get('content-type'), null); eq(new Response(new URLSearchParams('a=b c')).headers.get('content-type'), 'application/x-www-form-urlencoded;charset=UTF-8');
  eq(await new Response(new URLSearchParams('a=b c')).text(), 'a=b+c'); eq(await new Response({}).text(), '[object Object]'); eq(await new Response(5).text(), '5'); eq(await new Response('\uD800').text(), '\uFFFD');
  const s = new Response(ReadableStream.from([bytes('a'), bytes('b')])); eq([s.headers.get('content-type'), await s.text()], [null, 'ab']);
  await rejects(new Response(ReadableStream.from(['text'])).text(), TypeError, 'Uint8Array'); await rejects(new Response(new ReadableStream({ start(c) { c.error(new Error('st')); } })).text(), Error, 'st');
  const used = ReadableStream.from([bytes('a')]); used.getReader(); throws(() => new Response(used), TypeError, 'locked');
  const t = new Response('abc'); const reader = t.body.getReader(); eq(t.bodyUsed, false); await rejects(t.text(), TypeError); eq(text((await reader.read()).value), 'abc'); eq(t.bodyUsed, true); eq((await reader.read()).done, true);
  const u = new Response('abc'); ok(u.body === u.body, 'one stream'); eq(await u.text(), 'abc'); eq([u.bodyUsed, u.body.locked], [true, false]);
  const v = new Response(new Response('wrapped').body); eq(await v.text(), 'wrapped'); const w = new Response('c'); await w.body.cancel(); eq(w.bodyUsed, true); await rejects(w.text(), TypeError);
  const once = new Response(bytes('m')); const first = await once.clone().bytes(); first[0] = 0; eq(await once.text(), 'm');
});
await check('clone', async () => {
  const r = new Response('x', { status: 201, headers: { a: '1' } }); const c = r.clone(); c.headers.set('a', '2'); eq([await r.text(), await c.text(), r.headers.get('a'), c.status], ['x', 'x', '1', 201]); throws(() => r.clone(), TypeError);
  const s = new Response(ReadableStream.from([bytes('ab'), bytes('cd')])); const t = s.clone(); eq(await Promise.all([s.text(), t.text()]), ['abcd', 'abcd']);
  const m = new Response(ReadableStream.from([bytes('ab')])); const n = m.clone(); const { value } = await m.body.getReader().read(); value[0] = 0; eq(await n.text(), 'ab');
  const q = new Request('http://h', { method: 'POST', body: 'b', headers: { k: 'v' } }); const z = q.clone(); eq([await q.text(), await z.text(), z.method, z.headers.get('k'), z.url], ['b', 'b', 'POST', 'v', 'http://h/']);
  eq(new Response(null).clone().body, null);
});
await check('Request', async () => {
  const q = new Request('http://h/p?x#f', { method: 'post', headers: [['a', 'b']], body: '{"k":1}' });
  eq([q.method, q.url, q.headers.get('a'), q.headers.get('content-type'), q.redirect, q.mode, q.credentials, q.cache, q.duplex, q.signal.aborted], ['POST', 'http://h/p?x#f', 'b', 'text/plain;charset=UTF-8', 'follow', 'cors', 'same-origin', 'default', 'half', false]);
  eq(await q.json(), { k: 1 }); eq(q.bodyUsed, true); eq([new Request('http://h').body, new Request(new URL('http://h/u')).url, new Request('http://h', { method: 'patch' }).method, new Request('http://h', { method: 'delete' }).method], [null, 'http://h/u', 'patch', 'DELETE']);
  throws(() => new Request('/path'), TypeError, 'absolute'); throws(() => new Request('http://u:p@h/'), TypeError, 'user'); throws(() => new Request(), TypeError); throws(() => new Request('http://h', { method: 'TRACE' }), TypeError); throws(() => new Request('http://h', { method: 'a b' }), TypeError);
  throws(() => new Request('http://h', { body: 'x' }), TypeError, 'GET'); throws(() => new Request('http://h', { redirect: 'x' }), TypeError); throws(() => new Request('http://h', { mode: 'navigate' }), TypeError); throws(() => new Request('http://h', { signal: {} }), TypeError);
  const a = new Request('http://h', { method: 'POST', body: 'moved', headers: { k: 'v' } }); const b = new Request(a, { headers: { n: 'm' } }); eq([a.bodyUsed, await b.text(), b.method, b.headers.get('k'), b.headers.get('n')], [true, 'moved', 'POST', null, 'm']); throws(() => new Request(a), TypeError, 'once');
  eq(await new Request(a, { body: 'fresh' }).text(), 'fresh');
  const s = new Request('http://h', { method: 'PUT', body: ReadableStream.from([bytes('st')]), duplex: 'half' }); const t = new Request(s); eq([s.bodyUsed, await t.text()], [true, 'st']);
  const c = new AbortController(); const d = new Request('http://h', { signal: c.signal }); const e = new Request(d), f = d.clone(); ok(d.signal !== c.signal, 'a signal of its own'); c.abort('r'); eq([d.signal.reason, e.signal.reason, f.signal.reason], ['r', 'r', 'r']); eq(new Request(d, { signal: null }).signal.aborted, false);
  class Mine extends Request {} const m = new Mine('http://h/m'); eq([m instanceof Request, Object.prototype.toString.call(m), m.url], [true, '[object Request]', 'http://h/m']);
});
