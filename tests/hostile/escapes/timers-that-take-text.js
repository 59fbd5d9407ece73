// setTimeout and setInterval with source as text.
// expect: 201
// timeout: 2000
globalThis.ran = false;
for (const f of [setTimeout, setInterval, queueMicrotask]) {
  try {
    f('globalThis.ran = true', 0);
  } catch {}
}
await new Promise((r) => setTimeout(r, 5));
if (globalThis.ran) throw new Error('reached: text became code');
