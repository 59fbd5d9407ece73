// Numbers of steps that are no numbers.
// expect: 201 | 504 EXTENSION_TIMEOUT
for (const n of [-1, NaN, 2 ** 53, Infinity, 1e308, 1n, {}, '5'])
  for (const how of ['take', 'drop']) {
    try {
      const it = [1, 2][Symbol.iterator]()[how](n);
      it.next();
      it.return();
    } catch {}
  }
try {
  Iterator.concat?.([1], new Proxy([], {}), { [Symbol.iterator]: 5 });
} catch {}
