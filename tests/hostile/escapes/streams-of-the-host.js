// Classes of streams, of requests and of bodies give no object of the host.
// expect: 201
// timeout: 2000
const r = new Request('https://example.com/', { method: 'POST', body: 'x' });
for (const o of [r, r.body, r.headers, r.signal, new Response('x').body, new Blob(['x']).stream()])
  for (let p = o; p && p !== Object.prototype; p = Object.getPrototypeOf(p))
    for (const k of Reflect.ownKeys(p)) {
      if (/^_|native|handle|internal|host/i.test(String(k))) throw new Error(`reached: ${String(k)}`);
    }
