// The glue does not look up then on what the author may patch.
// expect: 201
// timeout: 2000
Object.defineProperty(Promise.prototype, 'then', {
  get() {
    throw new Error('reached: then was looked up');
  },
});
