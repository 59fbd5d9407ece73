// Nothing of the context can be written, defined, deleted or given another prototype.
// expect: 201
// timeout: 2000
const before = JSON.stringify(context.accountability);
for (const o of [
  context,
  context.accountability,
  context.accountability.roles,
  context.services,
  services,
  services.env,
  services.log,
  context.extension,
]) {
  if (!Object.isFrozen(o)) throw new Error('reached: something is not frozen');
  for (const f of [
    () => {
      'use strict';
      o.admin = true;
    },
    () => Object.defineProperty(o, 'admin', { value: true }),
    () => Object.setPrototypeOf(o, { admin: true }),
    () => {
      o.__proto__ = { admin: true };
    },
    () => {
      if (!delete o.user) throw 1;
    },
    () => Array.prototype.push.call(o, 1),
    () => o.__defineGetter__('user', () => 1),
  ]) {
    try {
      f();
    } catch {}
  }
}
if (JSON.stringify(context.accountability) !== before || context.accountability.admin2 !== undefined)
  throw new Error('reached: the context changed');
