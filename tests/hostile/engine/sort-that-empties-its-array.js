// A comparator that truncates what is being sorted.
// expect: 201
// timeout: 2000
const a = Array.from({ length: 2000 }, (_, i) => ({ v: (i * 7919) % 2000 }));
let n = 0;
a.sort((x, y) => {
  if (++n % 100 === 0) {
    a.length = 0;
    a.push(...new Array(50).fill({ v: 1 }));
  }
  return x.v - y.v;
});
