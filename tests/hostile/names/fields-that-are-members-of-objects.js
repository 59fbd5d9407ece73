// Names of fields that every object has, in every place of a query.
// expect: 201
// timeout: 2000
const log = await services.items('log');
for (const name of [
  '__proto__',
  'constructor',
  'toString',
  '__proto__.x',
  'text.__proto__',
  '$',
  '*.*.*.*',
  '\u0000',
  'text\u0000',
  'x'.repeat(65536),
  '\ud800',
  '\u202etext',
  'text"',
  "text'--",
])
  for (const query of [
    { fields: [name] },
    { sort: [name] },
    { sort: [`-${name}`] },
    { filter: { [name]: { _eq: 1 } } },
    { filter: { text: { [name]: 1 } } },
    { aggregate: { [name]: ['text'] } },
    { groupBy: [name] },
    { alias: { [name]: 'text' } },
    { deep: { [name]: {} } },
    { search: name },
  ]) {
    try {
      const rows = await log.readByQuery(query);
      if (!Array.isArray(rows)) throw new Error('reached: no list');
    } catch (e) {
      if (e.message.startsWith('reached')) throw e;
      if (typeof e.code !== 'string' && !(e instanceof TypeError)) throw new Error(`reached: ${e.name} ${e.message}`);
    }
  }
