// Dates beyond the end of time, with setters that change the date.
// expect: 201
// timeout: 2000
for (const n of [NaN, Infinity, 8.64e15, 8.64e15 + 1, -8.64e15, 1e308, -0, 2 ** 63]) {
  const d = new Date(n);
  for (const k of Reflect.ownKeys(Date.prototype)) {
    if (typeof k !== 'string' || k === 'constructor') continue;
    try {
      d[k](
        n,
        {
          valueOf() {
            d.setTime(NaN);
            return n;
          },
        },
        n,
        n,
        n,
        n,
        n,
      );
    } catch {}
  }
  try {
    d[Symbol.toPrimitive]('number');
  } catch {}
}
