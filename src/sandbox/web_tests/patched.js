const web = glue('fetch');
const poison = () => { throw new Error('poisoned'); };
const { getOwnPropertyNames, getOwnPropertyDescriptor, defineProperty } = Object;
const functions = Function.prototype;
const promise = Promise.prototype;
const pristine = [];
const patch = (object, key, value) => {
  const before = getOwnPropertyDescriptor(object, key);
  if (before === undefined || !before.configurable && !before.writable) return;
  pristine[pristine.length] = [object, key, before];
  defineProperty(object, key, { ...before, ...('value' in before ? { value } : { get: value, set: value }) });
};
const restore = () => { for (let i = pristine.length - 1; i >= 0; i--) defineProperty(pristine[i][0], pristine[i][1], pristine[i][2]); pristine.length = 0; };
const classes = [Headers, Response, Request, ReadableStream, ReadableStreamDefaultReader, ReadableStreamDefaultController, URL, URLSearchParams, TextEncoder, TextDecoder, Blob, FormData, AbortSignal, EventTarget];
const spoil = () => {
  const targets = [Array.prototype, String.prototype, Uint8Array.prototype, Object.getPrototypeOf(Uint8Array.prototype), ArrayBuffer.prototype, Map.prototype, RegExp.prototype, Number.prototype, ...classes.map((c) => c.prototype)];
  const statics = [Array, Object, Reflect, JSON, Promise, String, Math, Number];
  for (const target of targets) for (const key of getOwnPropertyNames(target)) if (key !== 'constructor' && key !== 'length') patch(target, key, poison);
  for (const target of statics) for (const key of getOwnPropertyNames(target)) if (typeof getOwnPropertyDescriptor(target, key).value === 'function' && key !== 'defineProperty' && key !== 'prototype') patch(target, key, poison);
  for (const name of ['Response', 'Headers', 'Uint8Array', 'Promise', 'TextDecoder', 'JSON', 'URL']) patch(globalThis, name, poison);
  patch(Array.prototype, Symbol.iterator, poison); patch(promise, 'then', poison); patch(promise, 'catch', poison); patch(functions, 'call', poison); patch(functions, 'apply', poison); patch(functions, 'bind', poison);
};
const flat = ({ status, headers, body }) => { let all = String(status); for (let i = 0; i < headers.length; i++) all += '|' + headers[i][0] + '=' + headers[i][1]; return typeof body === 'string' ? all + '|' + body : all; };

await check('answers stay what they are', async () => {
  const h = new Headers([['b', '2'], ['a', '1'], ['set-cookie', 'x']]);
  const made = [new Response('text', { status: 203, headers: h }), Response.json({ k: [1, 'é'] }), new Response(new Uint8Array([1, 2, 3])), new Response(new Blob(['blob'])), new Response('cloned').clone(), new Response(new Response('wrapped').body)];
  const stream = new Response(ReadableStream.from([bytes('a'), bytes('b')]));
  const seen = []; let count = 0; let more; let fault;
  try {
    spoil();
    for (let i = 0; i < made.length; i++) { const a = web.answer(made[i]); seen[i] = flat(a); if (typeof a.body === 'object') count += a.body[0]; }
    seen[6] = flat(web.answer('plain')); seen[7] = flat(web.answer({ json: [true, null] })); seen[8] = flat(web.answer(undefined));
    more = web.answer(stream).body;
    const one = await more.read(); const two = await more.read(); const end = await more.read();
    seen[9] = one.value[0] + ' ' + two.value[0] + ' ' + end.done;
  } catch (error) { fault = error; }
  restore();
  if (fault) throw fault;
  eq(seen, ['203|b=2|a=1|set-cookie=x|content-type=text/plain;charset=UTF-8|text', '200|content-type=application/json|{"k":[1,"é"]}', '200', '200', '200|content-type=text/plain;charset=UTF-8|cloned', '200|wrapped', '200|content-type=text/plain;charset=UTF-8|plain', '200|content-type=application/json|{"json":[true,null]}', '204', '97 98 true']);
  eq(count, 1 + 98);
});
await check('requests stay what they are', async () => {
  const chunks = [bytes('{"a":'), bytes('[1]}')]; let at = 0; const data = [];
  const { get } = Headers.prototype; const { json, text: asText } = Request.prototype; const method = getOwnPropertyDescriptor(Request.prototype, 'method').get; const headersOf = getOwnPropertyDescriptor(Request.prototype, 'headers').get;
  const { apply } = Reflect; let fault;
  const head = [['X-One', '1'], ['x-two', '2']];
  try {
    spoil();
    const q = web.request({ method: 'PUT', url: 'http://h/', headers: head, body: { pull: async () => chunks[at++], cancel() {} } });
    data[0] = apply(method, q, []); data[1] = apply(get, apply(headersOf, q, []), ['x-one']); data[2] = (await apply(json, q, [])).a[0];
    at = 0; const r = web.request({ method: 'PUT', url: 'http://h/', headers: [], body: { pull: async () => chunks[at++], cancel() {} } });
    data[3] = await apply(asText, r, []);
  } catch (error) { fault = error; }
  restore();
  if (fault) throw fault;
  eq(data, ['PUT', '1', 1, '{"a":[1]}']);
});
