// The getter that makes a service makes it once, for this call, whoever calls it.
// expect: 201
// timeout: 2000
const d = Object.getOwnPropertyDescriptor(services, 'items');
const make = d.get ?? (() => d.value);
for (const self of [undefined, {}, null, globalThis, Object.freeze([])])
  if (make.call(self) !== services.items) throw new Error('reached: another service');
