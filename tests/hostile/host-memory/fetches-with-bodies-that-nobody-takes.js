// Requests with bodies without an end, to where nothing may be sent, none of them awaited.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
// memory: 64
const piece = new Uint8Array(1 << 20);
const body = () => new ReadableStream({ pull(controller) { controller.enqueue(piece); } });
const all = [];
for (let i = 0; i < 500; i++) all.push(fetch(`http://10.0.0.${i % 250}/`, { method: 'POST', body: body() }).catch(() => {}));
await Promise.all(all);
