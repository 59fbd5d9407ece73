// Tables of the platform under spellings of their names.
// expect: 201
// timeout: 2000
for (const name of [
  'sqlite_master',
  'pg_catalog.pg_tables',
  'main.articles',
  '"articles"',
  'articles; DROP TABLE articles',
  "articles'--",
  'ARTICLES ',
  'articles\u0000',
  '../articles',
  'articles\u200b',
  'daas_extensions\u0000',
]) {
  try {
    await (await services.items(name)).readByQuery({});
    throw new Error(`reached: a collection ${name}`);
  } catch (e) {
    if (e.message.startsWith('reached')) throw e;
  }
}
