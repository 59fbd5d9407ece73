// structuredClone, setTimeout, setInterval, clearInterval and queueMicrotask.
// expect: 201
// timeout: 2000
const order = [];
queueMicrotask(() => order.push('m'));
await new Promise((r) => {
  let n = 0;
  const i = setInterval(() => {
    order.push(n);
    if (++n === 2) {
      clearInterval(i);
      r();
    }
  }, 1);
});
const a = { d: new Date(0), m: new Map([[1, new Set([2])]]) };
a.self = a;
const b = structuredClone(a);
if (`${order}` !== 'm,0,1' || b.self !== b || b.m.get(1).has(2) !== true) throw new Error('reached: another order');
