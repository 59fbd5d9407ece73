// Symbols where texts and numbers are expected.
// expect: 201
// timeout: 2000
const s = Symbol('s');
for (const f of [
  () => `${s}`,
  () => s + 1,
  () => [s].join(),
  () => new Array(s),
  () => JSON.parse(s),
  () => 'x'.repeat(s),
  () => new Date(s),
  () => Math.max(s),
  () => new Uint8Array([s]),
  () => BigInt(s),
  () => setTimeout(() => {}, s),
  () => console.log(s, `${String(s)}`),
  () => new URL(s),
  () => atob(s),
  () => new Error(s),
]) {
  try {
    f();
  } catch (e) {
    if (!(e instanceof Error)) throw new Error('reached: no error');
  }
}
