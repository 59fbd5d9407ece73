// Direct, indirect, renamed, bound and tagged eval.
// expect: 201
// timeout: 2000
const e2 = eval;
for (const f of [
  () => eval('1+1'),
  () => (0, eval)('1+1'),
  () => e2('1+1'),
  () => globalThis['ev' + 'al']('1+1'),
  () => eval.call(null, '1+1'),
  () => Reflect.apply(eval, null, ['1+1']),
  () => eval`1+1`,
  () => [eval].map((f) => f('1+1'))[0],
  () => new Proxy(eval, {})('1+1'),
]) {
  let r;
  try {
    r = f();
  } catch {
    continue;
  }
  if (r === 2) throw new Error('reached: eval');
}
