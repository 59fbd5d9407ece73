// Variables that have the names of the glue's change nothing in it.
// expect: 201
// timeout: 2000
for (const name of [
  'native',
  'kit',
  'host',
  'open',
  'openHost',
  'settle',
  'fire',
  'close',
  'timers',
  'calls',
  'queue',
  'held',
  'need',
  'have',
  'define',
  'put',
  'isObject',
  'ObjectFreeze',
  'PromiseThen',
  'ReflectApply',
  'WeakMapGet',
  'handlers',
  'report',
  'inspect',
  'run',
  'fail',
  'undefined_',
  'ArrayIsArray',
]) {
  try {
    globalThis[name] = () => {
      throw new Error('reached: the glue uses a global');
    };
  } catch {}
}
const log = await services.items('log');
await log.readByQuery({ limit: 1 });
await new Promise((r) => setTimeout(r, 1));
console.log({ a: 1 });
structuredClone({ a: [1] });
