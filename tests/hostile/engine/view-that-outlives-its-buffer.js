// Views on transferred memory read nothing of what took its place.
// expect: 201
// timeout: 2000
const views = [];
for (let n = 0; n < 200; n++) {
  const b = new ArrayBuffer(4096);
  const v = new Uint8Array(b);
  v.fill(7);
  b.transfer(n % 2 ? 0 : 8192);
  views.push(v);
  new Uint8Array(4096).fill(9);
}
for (const v of views) if (v.length !== 0 || v[0] !== undefined) throw new Error('reached: memory of a detached buffer');
