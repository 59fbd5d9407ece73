// new, Reflect.construct and extends on functions that are none.
// expect: 201
// timeout: 2000
const log = await services.items('log');
for (const f of [console.log, setTimeout, services.items, log.readOne, performance.now, Math.random, structuredClone])
  for (const g of [
    () => new f(),
    () => Reflect.construct(Object, [], f),
    () => Reflect.construct(f, [], Object),
    () => new (class extends f {})(),
  ]) {
    let made;
    try {
      made = g();
    } catch {
      continue;
    }
    if (
      made &&
      typeof made === 'object' &&
      Reflect.ownKeys(Object.getPrototypeOf(made) ?? {}).some((k) => !['constructor'].includes(k) && !(k in Object.prototype))
    )
      throw new Error('reached: an instance');
  }
