// Services that belonged to a transaction are of no use after it, nor under forged numbers.
// expect: 201
// timeout: 2000
let kept;
await services.transaction(async (inner) => {
  kept = await inner.items('log');
  await kept.readByQuery({ limit: 1 });
});
let rows;
try {
  rows = await kept.readByQuery({ limit: 1 });
} catch (e) {
  if (typeof e.code !== 'string') throw e;
}
if (rows !== undefined) throw new Error('reached: a transaction that is over');
for (const f of [() => services.transaction('x'), () => services.transaction(5), () => services.transaction()]) {
  try {
    await f();
  } catch (e) {
    if (e instanceof TypeError) continue;
    throw e;
  }
  throw new Error('reached: a transaction of nothing');
}
