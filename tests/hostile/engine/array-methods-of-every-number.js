// Every method of arrays with every odd number.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const odd = [-1, 0, 1, 2 ** 31 - 1, -(2 ** 31), NaN, 1e308, -Infinity];
for (const k of Reflect.ownKeys(Array.prototype)) {
  if (k === 'constructor' || typeof Array.prototype[k] !== 'function') continue;
  for (const n of odd)
    for (const m of odd) {
      const a = [1, , { b: 2 }, [3], 'x'];
      try {
        a[k](n, m, 5);
      } catch (e) {
        if (!(e instanceof Error)) throw new Error(`reached: ${String(k)} threw no error`);
      }
    }
}
