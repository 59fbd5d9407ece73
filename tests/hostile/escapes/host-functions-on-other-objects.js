// Methods of the glue, called on objects of the author's, of the host's and on nothing.
// expect: 201
// timeout: 2000
const log = await services.items('log');
const others = [
  null,
  undefined,
  {},
  [],
  globalThis,
  context,
  services,
  log,
  new Proxy(
    {},
    {
      get() {
        throw 1;
      },
    },
  ),
  5,
  'x',
  Symbol.iterator,
];
for (const f of [console.log, performance.now, Math.random, queueMicrotask, clearTimeout, services.log.debug, structuredClone])
  for (const o of others) {
    try {
      f.call(o, () => {});
    } catch (e) {
      if (!(e instanceof Error)) throw new Error('reached: no error');
    }
  }
for (const o of others) {
  try {
    await log.readOne.call(o, 1);
  } catch (e) {
    if (!(e instanceof Error)) throw new Error('reached: no error');
  }
}
