// Iterators whose return throws, never comes, or is no function.
// expect: 201
// timeout: 2000
for (const back of [
  () => {
    throw 1;
  },
  5,
  {},
  () => 1,
  undefined,
  null,
]) {
  const it = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }), return: back }) };
  try {
    Array.from(it, () => {
      throw 2;
    });
  } catch {}
  try {
    const [a, b] = it;
  } catch {}
  try {
    for (const x of it) break;
  } catch {}
  try {
    new Map(it);
  } catch {}
  try {
    new Set({
      [Symbol.iterator]: () => ({
        next: () => {
          throw 3;
        },
        return: back,
      }),
    });
  } catch {}
}
