// 10 MB are there under this limit.
// expect: 201
// timeout: 1000
// memory: 16
const a = new Uint8Array(10 << 20).fill(1);
if (a.length !== 10 << 20) throw new Error('reached: another length');
