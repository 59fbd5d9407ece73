// Every function and object of the host side, asked for its constructor's constructor.
// expect: 201
// timeout: 2000
const roots = [
  context,
  services,
  services.items,
  services.log,
  services.env,
  context.accountability,
  console.log,
  setTimeout,
  performance.now,
  Math.random,
  structuredClone,
  await services.items('log'),
  (await services.items('log')).readOne,
  payload,
  meta,
  URL,
  Response,
  globalThis,
];
for (const root of roots)
  for (let c = root?.constructor, n = 0; typeof c === 'function' && n < 5; c = c.constructor, n++) {
    try {
      const made = c('return globalThis');
      if (made === globalThis || typeof made === 'function') throw new Error('reached: text became code');
    } catch (e) {
      if (e.message.startsWith('reached')) throw e;
    }
  }
