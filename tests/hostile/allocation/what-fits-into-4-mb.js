// 2 MB are there under this limit.
// expect: 201
// timeout: 1000
// memory: 4
const a = new Uint8Array(2 << 20).fill(1);
if (a.length !== 2 << 20) throw new Error('reached: another length');
