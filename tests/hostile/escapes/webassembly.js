// No code of machines.
// expect: 201
// timeout: 2000
const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
for (const f of [
  () => new WebAssembly.Module(bytes),
  () => WebAssembly.compile(bytes),
  () => WebAssembly.instantiate(bytes),
  () => WebAssembly.validate(bytes),
  () => new WebAssembly.Instance({}),
  () => WebAssembly.compileStreaming(bytes),
]) {
  let r;
  try {
    r = await f();
  } catch {
    continue;
  }
  throw new Error(`reached: ${r}`);
}
