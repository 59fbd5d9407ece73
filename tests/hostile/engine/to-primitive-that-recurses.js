// Conversions that convert themselves.
// expect: 201
// timeout: 2000
const o = {
  [Symbol.toPrimitive]() {
    return `${o}`;
  },
};
for (const f of [() => `${o}`, () => o + 1, () => o < 1, () => new Date(o), () => [][o], () => Symbol(o)]) {
  try {
    f();
    throw new Error('reached: no end of the stack');
  } catch (e) {
    if (!(e instanceof RangeError || e instanceof InternalError)) throw e;
  }
}
