const web = glue('fetch');
const hostBody = (...chunks) => { const log = []; return { log, pull: async () => { log.push('pull'); return chunks.shift(); }, cancel() { log.push('cancel'); } }; };
const make = (over = {}) => web.request({ method: 'POST', url: 'http://h/a?b=1', headers: [['Content-Type', 'application/json'], ['x-a', '1'], ['cookie', 'c=1']], body: null, ...over });

await check('a request of the host', async () => {
  const body = hostBody(bytes('{"a":"'), bytes('é"}'.slice(0, 1)), bytes('"}'));
  const q = make({ body }); ok(q instanceof Request && q.headers instanceof Headers, 'the classes');
  eq([q.method, q.url, q.headers.get('content-type'), q.headers.get('Cookie'), [...q.headers.keys()]], ['POST', 'http://h/a?b=1', 'application/json', 'c=1', ['content-type', 'cookie', 'x-a']]);
  await turns(); eq(body.log, []); eq(await q.json(), { a: 'é' }); eq(body.log.length, 4); eq(q.bodyUsed, true); await rejects(q.text(), TypeError);
  q.headers.set('cookie', 'd=2'); eq(q.headers.get('cookie'), 'd=2');
  eq([make().body, await make().text(), make({ method: 'TRACE' }).method], [null, '', 'TRACE']);
  eq(await make({ body: hostBody(bytes('one')) }).text(), 'one'); eq(await make({ body: hostBody() }).text(), ''); eq((await make({ body: hostBody(bytes('ab'), bytes('c')) }).arrayBuffer()).byteLength, 3);
  await rejects(make({ body: { pull: async () => { throw new TypeError('gone'); }, cancel() {} } }).text(), TypeError, 'gone');
});
await check('its stream', async () => {
  const body = hostBody(bytes('a'), bytes('b')); const q = make({ body }); const s = q.body; await turns(); eq(body.log, []);
  const r = s.getReader(); eq(text((await r.read()).value), 'a'); await turns(); eq(body.log, ['pull']); eq(q.bodyUsed, true); await r.cancel(); eq(body.log, ['pull', 'cancel']);
  eq((await readAll(make({ body: hostBody(bytes('x'), bytes('y')) }).body)).map(text), ['x', 'y']);
  const touched = make({ body: hostBody(bytes('t')) }); ok(touched.body, 'a stream'); eq(await touched.text(), 't');
  const c = make({ body: hostBody(bytes('c1'), bytes('c2')) }); const d = c.clone(); eq(await Promise.all([c.text(), d.text()]), ['c1c2', 'c1c2']);
  const e = new Request(make({ body: hostBody(bytes('re')) }), { headers: { z: '1' } }); eq(await e.text(), 're'); eq(e.headers.get('cookie'), null);
});
await check('its signal', () => {
  const { signal, abort } = web.signal(); const q = make({ signal }); ok(q.signal === signal, 'as given'); abort('left'); eq([q.signal.aborted, q.signal.reason], [true, 'left']);
  let made = 0; const lazy = make({ signal: () => { made++; return web.signal().signal; } }); eq(made, 0); ok(lazy.signal === lazy.signal, 'one'); eq(made, 1); eq(make().signal.aborted, false);
});
const told = (value) => { const { status, headers, body } = web.answer(value); return [status, headers.map ? headers : Array.from(headers, (p) => Array.from(p)), body]; };
await check('answers', async () => {
  eq(told(new Response('x', { status: 201 })), [201, [['content-type', 'text/plain;charset=UTF-8']], 'x']); eq(told(Response.json({ a: 1 })), [200, [['content-type', 'application/json']], '{"a":1}']);
  eq(told('text'), [200, [['content-type', 'text/plain;charset=UTF-8']], 'text']); eq(told(undefined), [204, [], null]); eq(told(null), [204, [], null]); eq(told({ a: new Date(0) }), [200, [['content-type', 'application/json']], '{"a":"1970-01-01T00:00:00.000Z"}']);
  eq(told([1]), [200, [['content-type', 'application/json']], '[1]']); eq(told(0)[2], '0'); eq(told(false)[2], 'false'); eq(told(new Uint8Array([1]))[1], [['content-type', 'application/octet-stream']]); eq([...told(new Uint8Array([1, 2]).buffer)[2]], [1, 2]);
  const h = new Headers(); h.append('set-cookie', 'a'); h.append('set-cookie', 'b'); eq(told(new Response(null, { headers: h })), [200, [['set-cookie', 'a'], ['set-cookie', 'b']], null]);
  eq([...told(new Response(new Blob(['b'], { type: 'k/l' })))[2]], [98]); eq(told(new Blob(['b'], { type: 'k/l' }))[1], [['content-type', 'k/l']]); eq(told(new URLSearchParams('a=1'))[2], 'a=1');
  throws(() => web.answer(new Map()), TypeError, 'answer'); throws(() => web.answer({ a: { b: () => 1 } }), TypeError, 'answer.a.b'); throws(() => web.answer(Response.error()), TypeError); throws(() => web.answer(Symbol()), TypeError);
  const used = new Response('u'); await used.text(); throws(() => web.answer(used), TypeError, 'read already'); const locked = new Response('l'); locked.body.getReader(); throws(() => web.answer(locked), TypeError); const twice = new Response('t'); web.answer(twice); throws(() => web.answer(twice), TypeError);
  const wrapped = new Response('w'); wrapped.body; eq(told(new Response(wrapped.body, wrapped))[2], 'w'); eq(told(new Response('c').clone())[2], 'c'); class Mine extends Response {} eq([told(new Mine('m'))[2], web.isResponse(new Mine('m')), web.isResponse({}), web.isResponse(Object.create(Response.prototype))], ['m', true, false, false]);
});
await check('streams as answers', async () => {
  const [, headers, body] = told(new Response(ReadableStream.from([bytes('a'), bytes('b')]))); eq(headers, []); eq([text((await body.read()).value), text((await body.read()).value), (await body.read()).done], ['a', 'b', true]);
  const bad = told(new Response(ReadableStream.from(['text'])))[2]; await rejects(bad.read(), TypeError, 'Uint8Array');
  let why; const c = told(new Response(new ReadableStream({ cancel(r) { why = r; } })))[2]; await c.cancel('left'); eq(why, 'left'); eq(told(ReadableStream.from([bytes('s')]))[1], [['content-type', 'application/octet-stream']]);
  const err = told(new Response(new ReadableStream({ pull() { throw new Error('mid'); } })))[2]; await rejects(err.read(), Error, 'mid');
  const host = hostBody(bytes('p1'), bytes('p2')); const echo = told(new Response(make({ body: host }).body))[2]; eq([text((await echo.read()).value), text((await echo.read()).value), (await echo.read()).done], ['p1', 'p2', true]); await echo.cancel(); eq(host.log.at(-1), 'cancel');
  const t = new TransformStream(); const w = t.writable.getWriter(); const sse = told(new Response(t.readable, { headers: { 'content-type': 'text/event-stream' } }))[2]; const one = sse.read(); w.write(bytes('data: 1\n\n')); eq(text((await one).value), 'data: 1\n\n'); w.close(); eq((await sse.read()).done, true);
});
await check('a response of the host', async () => {
  const r = web.response({ status: 404, statusText: 'Not Found', headers: [['Set-Cookie', 'a=1'], ['set-cookie', 'b']], url: 'http://h/x', redirected: true, body: hostBody(bytes('no'), bytes('pe')) });
  eq([r.status, r.ok, r.statusText, r.url, r.redirected, r.type, r.headers.getSetCookie(), await r.text()], [404, false, 'Not Found', 'http://h/x', true, 'basic', ['a=1', 'b'], 'nope']);
  eq(await web.response({ status: 200, headers: [], body: 'txt' }).text(), 'txt'); eq(web.response({ status: 204, headers: [], body: null }).body, null);
});
