// In a value the keys stay what they are, on the way out and on the way back.
// expect: 201
// timeout: 2000
const value = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
const clone = structuredClone(value);
if ({}.polluted !== undefined || clone.polluted !== undefined || Object.getPrototypeOf(clone) !== Object.prototype)
  throw new Error('reached: a prototype was polluted');
return { ...payload, body: JSON.stringify(value) };
