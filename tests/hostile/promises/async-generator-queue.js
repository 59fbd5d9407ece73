// A hundred thousand requests to one generator.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 201
async function* g() {
  for (;;) yield await new Promise((r) => queueMicrotask(r));
}
const it = g();
const all = [];
for (let i = 0; i < 100000; i++) all.push(it.next());
await Promise.all(all);
