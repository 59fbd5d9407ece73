// Entries removed and added by the walk itself.
// expect: 201
// timeout: 2000
const m = new Map(Array.from({ length: 1000 }, (_, i) => [i, i]));
let steps = 0;
m.forEach((v, k) => {
  if (++steps < 5000) {
    m.delete(k);
    m.set(`n${steps}`, 1);
    if (steps % 100 === 0) m.clear();
  }
});
const it = m.entries();
m.clear();
it.next();
m.set(1, 1);
it.next();
