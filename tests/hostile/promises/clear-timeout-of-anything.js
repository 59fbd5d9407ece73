// Ids that nobody gave out take nothing back.
// expect: 201
// timeout: 2000
let fired = 0;
const wait = new Promise((done) =>
  setTimeout(() => {
    fired++;
    done();
  }, 5),
);
for (const id of [-1, 0, 1e9, NaN, '0', '__proto__', 'constructor', null, undefined, {}, [], Symbol.iterator, 1n, () => {}]) {
  try {
    clearTimeout(id);
    clearInterval(id);
  } catch {}
}
await wait;
if (fired !== 1) throw new Error(`reached: fired ${fired} times`);
