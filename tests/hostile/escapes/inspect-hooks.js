// The console calls no method that the shown object brings along with functions of the host.
// expect: 201
// timeout: 2000
const seen = [];
const hook = function (...args) {
  for (const a of args) if (typeof a === 'function' || (typeof a === 'object' && a !== null)) seen.push(a);
  return 'x';
};
console.log({
  [Symbol.for('nodejs.util.inspect.custom')]: hook,
  inspect: hook,
  toJSON: hook,
  toString: hook,
  [Symbol.toPrimitive]: hook,
  constructor: hook,
  [Symbol.toStringTag]: 'x',
});
console.error('%s %o %j', { toString: hook }, { inspect: hook }, { toJSON: hook });
if (seen.length) throw new Error('reached: an argument of the host');
