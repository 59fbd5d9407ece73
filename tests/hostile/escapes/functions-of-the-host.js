// Functions of the host have no prototype, no source and no further members to climb.
// expect: 201
// timeout: 2000
const log = await services.items('log');
const functions = [
  console.log,
  setTimeout,
  clearTimeout,
  queueMicrotask,
  structuredClone,
  atob,
  btoa,
  performance.now,
  Math.random,
  services.items,
  services.transaction,
  services.log.info,
  log.readOne,
  log.createMany,
];
for (const f of functions) {
  for (const k of Reflect.ownKeys(f))
    if (!['length', 'name', 'prototype', 'arguments', 'caller'].includes(k)) throw new Error(`reached: ${String(k)}`);
  if (Object.getPrototypeOf(f) !== Function.prototype && Object.getPrototypeOf(f) !== Object.getPrototypeOf(async () => {}))
    throw new Error('reached: another prototype');
}
