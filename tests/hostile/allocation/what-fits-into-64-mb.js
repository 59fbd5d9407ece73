// 50 MB are there under this limit.
// expect: 201
// timeout: 1000
// memory: 64
const a = new Uint8Array(50 << 20).fill(1);
if (a.length !== 50 << 20) throw new Error('reached: another length');
