// toString, toFixed, toPrecision and toExponential at their edges.
// expect: 201
// timeout: 2000
for (const n of [0, -0, NaN, Infinity, 1e308, 5e-324, 2 ** 53, 1.1, -1e-7, 123456789.123456789])
  for (const d of [-1, 0, 1, 2, 36, 37, 100, 101, 2 ** 31, NaN, Infinity])
    for (const f of ['toString', 'toFixed', 'toPrecision', 'toExponential']) {
      try {
        n[f](d);
      } catch (e) {
        if (!(e instanceof RangeError)) throw e;
      }
    }
