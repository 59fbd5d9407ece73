// What a service refuses says nothing of statements, files and addresses.
// expect: 201
// timeout: 2000
const log = await services.items('log');
const said = [];
for (const f of [
  () => log.createOne({ nosuch: 1 }),
  () => log.createOne({ id: 'x' }),
  () => log.readByQuery({ filter: { text: { _regex: '(' } } }),
  () => log.readByQuery({ sort: ['nosuch'] }),
  () => log.updateOne(10 ** 9, { text: 1 }),
  () => log.readByQuery({ filter: { "text') OR 1=1 --": { _eq: 1 } } }),
  () => services.items("x' OR '1'='1").then((s) => s.readByQuery({})),
]) {
  try {
    await f();
  } catch (e) {
    said.push(`${e.message} ${JSON.stringify(e)} ${e.stack}`);
  }
}
for (const s of said)
  if (/SELECT|INSERT INTO|UPDATE "|sqlite|SQLITE_|syntax error|\.db\b|rusqlite|sqlx|postgres:/i.test(s)) throw new Error(`reached: ${s}`);
