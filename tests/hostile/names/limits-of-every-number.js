// Limits, offsets and pages that are no numbers.
// expect: 201
// timeout: 2000
const log = await services.items('log');
for (const n of [-2, 1.5, 2 ** 31, 2 ** 53, 2 ** 64, -(2 ** 63), '1; DROP TABLE log', '', {}, [], true, '__proto__'])
  for (const key of ['limit', 'offset', 'page']) {
    try {
      await log.readByQuery({ [key]: n });
    } catch (e) {
      if (typeof e.code !== 'string') throw new Error(`reached: ${e.name} ${e.message}`);
    }
  }
