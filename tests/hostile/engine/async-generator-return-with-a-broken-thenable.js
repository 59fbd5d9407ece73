// A thenable in return whose getter throws, or that is none; the engine may leave what is queued behind it unanswered.
// expect: 201 | 504 EXTENSION_TIMEOUT
for (const value of [
  {
    get then() {
      throw 1;
    },
  },
  { then: 5 },
]) {
  const g = (async function* () {
    yield 1;
  })();
  await Promise.allSettled([g.return(value), g.next(value), g.throw(value)]);
}
