// No memory that two threads see, by any way.
// expect: 201
// timeout: 2000
const made = [];
for (const f of [
  () => new SharedArrayBuffer(8),
  () => Reflect.construct(SharedArrayBuffer, [8]),
  () => new (Object.getPrototypeOf(Int32Array))(),
  () => structuredClone(new ArrayBuffer(8)).constructor === ArrayBuffer || made.push(1),
  () => new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }).buffer,
]) {
  try {
    const r = f();
    if (Object.prototype.toString.call(r) === '[object SharedArrayBuffer]') made.push(r);
  } catch {}
}
if (made.length) throw new Error('reached: shared memory');
