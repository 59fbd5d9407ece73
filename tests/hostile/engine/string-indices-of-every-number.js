// Every method of strings with every odd number.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
const odd = [-1, 0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31), NaN, Infinity, -Infinity, 1e308];
for (const k of Reflect.ownKeys(String.prototype)) {
  if (k === 'constructor' || typeof String.prototype[k] !== 'function') continue;
  for (const n of odd)
    for (const m of [0, -1, 2 ** 31]) {
      if ((k === 'repeat' || k === 'padStart' || k === 'padEnd') && n > 1e5) continue;
      try {
        'a\ud800b\u{1f600}c'[k](n, m);
      } catch (e) {
        if (!(e instanceof Error)) throw new Error(`reached: ${String(k)} threw no error`);
      }
    }
}
