// Requests of all kinds, queued before the first answer; the engine may leave those behind a return unanswered.
// expect: 201 | 504 EXTENSION_TIMEOUT
for (let n = 0; n < 200; n++) {
  const g = (async function* () {
    try {
      yield 1;
      yield Promise.reject(2);
    } catch {
      yield 3;
    } finally {
      yield 4;
      await null;
    }
  })();
  await Promise.allSettled([g.next(), g.return(Promise.reject(5)), g.throw(6), g.next(), g.return(7), g.throw(8), g.next()]);
}
