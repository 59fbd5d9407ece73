// What is not there on purpose says so, and what to use instead (as when a change of sandbox made a global vanish without a word).
// expect: 201
// timeout: 2000
for (const f of [
  () => eval('1'),
  () => Function('1'),
  () => new Function('1'),
  () => (async () => {}).constructor('1'),
  () => require('fs'),
  () => new SharedArrayBuffer(1),
  () => WebAssembly.compile(1),
  () => new WebAssembly.Module(1),
  () => Atomics.wait(1),
  () => Atomics.waitAsync(1),
]) {
  let said;
  try {
    f();
  } catch (e) {
    said = e.message;
  }
  if (!/is not available in extensions: \S/.test(said)) throw new Error(`reached: ${f} said ${said}`);
}
