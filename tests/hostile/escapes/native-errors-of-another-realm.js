// Every error that built-ins, glue and services throw is of this realm.
// expect: 201
// timeout: 2000
const errors = [];
for (const f of [
  () => null.x,
  () => nosuch,
  () => [].reduce(),
  () => new Array(-1),
  () => JSON.parse('{'),
  () => new URL('::'),
  () => structuredClone(Symbol()),
  () => atob('*'),
  () => new Headers([1]),
  () => decodeURI('%'),
  () => 'x'.repeat(-1),
  () => BigInt(1.5),
  () => new TextDecoder('nosuch'),
  () => new Response('x', { status: 1 }),
  () => setTimeout('x'),
  () => services.items('log', 5),
]) {
  try {
    await f();
  } catch (e) {
    errors.push(e);
  }
}
if (errors.length < 14) throw new Error(`reached: only ${errors.length} errors`);
for (const e of errors) {
  if (!(e instanceof Error)) throw new Error(`reached: ${String(e)} is of another realm`);
  try {
    e.constructor.constructor('return 1')();
    throw new Error('reached: text became code');
  } catch (x) {
    if (x.message.startsWith('reached')) throw x;
  }
}
