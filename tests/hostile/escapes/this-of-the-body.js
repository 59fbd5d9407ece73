// this at the top of the body is nothing that the glue keeps.
// expect: 201
// timeout: 2000
const self = this;
if (self !== undefined && self !== globalThis) throw new Error('reached: this');
if (typeof arguments !== 'undefined')
  for (const a of arguments) if (typeof a === 'function') throw new Error('reached: a function among the arguments');
