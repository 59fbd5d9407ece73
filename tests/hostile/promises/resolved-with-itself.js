// A promise that is resolved with itself is refused.
// expect: 201
// timeout: 2000
let resolve;
const p = new Promise((r) => {
  resolve = r;
});
resolve(p);
try {
  await p;
  throw new Error('reached: a promise of itself');
} catch (e) {
  if (!(e instanceof TypeError)) throw e;
}
