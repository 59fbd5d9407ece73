// Keys that are not keys.
// expect: 418 EXTENSION_ERROR
// timeout: 2000
const log = await services.items('log');
for (const key of [
  '__proto__',
  '1 OR 1=1',
  '\u0000',
  'x'.repeat(65536),
  -1,
  1.5,
  2 ** 53,
  1e308,
  NaN,
  10n ** 50n,
  null,
  undefined,
  {},
  [],
  [1],
  true,
  Symbol('x'),
  () => 1,
  new Date(0),
]) {
  for (const f of [
    () => log.readOne(key),
    () => log.readMany([key]),
    () => log.updateOne(key, { text: 'reached' }),
    () => log.deleteOne(key),
    () => log.deleteMany([key]),
  ]) {
    try {
      await f();
    } catch (e) {
      if (!(e instanceof Error)) throw new Error('reached: no error');
    }
  }
}
throw Object.assign(new Error('taken back'), { status: 418 });
