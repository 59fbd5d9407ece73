// Headers, Request and Response, with Response.json.
// expect: 201
// timeout: 2000
const r = Response.json({ a: 1 }, { status: 201, headers: { 'x-a': 'b' } });
if (r.status !== 201 || r.headers.get('X-A') !== 'b' || (await r.json()).a !== 1) throw new Error('reached: Response');
const q = new Request('https://example.com/x', { method: 'post', body: 'text' });
if (q.method !== 'POST' || (await q.text()) !== 'text') throw new Error('reached: Request');
