// The client of Directus as it is published: what queries ask, and what they are answered.
// `node read.mjs <base URL> <token of an admin>`: ends with 1 and says why where something isn't as the client expects it.
import assert from 'node:assert/strict';
import {
  aggregate, createCollection, createDirectus, createField, createItem, createItems, createPermissions, createPolicy, createRelation, createUser,
  customEndpoint, readItem, readItems, rest, staticToken, withSearch,
} from '@directus/sdk';
import { field, refused } from './common.mjs';

const [base, token] = process.argv.slice(2);
const as = (secret) => createDirectus(base).with(staticToken(secret)).with(rest());
const admin = as(token);
const ask = (...command) => admin.request(...command);
const list = (name, special) => ({ field: name, type: 'alias', schema: null, meta: { special: [special] } });
const collection = (name, ...fields) => ask(createCollection({ collection: name, meta: {}, schema: {}, fields }));

// Articles of authors, with tags through a junction and blocks of several kinds.
await collection('authors', field('name', 'string'), field('born', 'timestamp'), list('articles', 'o2m'));
await collection('articles', field('title', 'string'), field('status', 'string'), field('views', 'integer'), field('at', 'timestamp'),
  field('author', 'integer', {}, { special: ['m2o'] }), list('tags', 'm2m'), list('blocks', 'm2a'));
await collection('tags', field('name', 'string'));
await ask(createField('tags', list('articles', 'm2m')));
await collection('articles_tags', field('articles_id', 'integer'), field('tags_id', 'integer'));
await collection('headings', field('text', 'string'));
await collection('pictures', field('url', 'string'));
await collection('articles_blocks', field('articles_id', 'integer'), field('item', 'string'), field('collection', 'string'), field('sort', 'integer'));
const link = (from, name, to, meta) => ask(createRelation({ collection: from, field: name, related_collection: to, meta, schema: to ? { on_delete: 'SET NULL' } : null }));
await link('articles', 'author', 'authors', { one_field: 'articles' });
await link('articles_tags', 'articles_id', 'articles', { one_field: 'tags', junction_field: 'tags_id' });
await link('articles_tags', 'tags_id', 'tags', { one_field: 'articles', junction_field: 'articles_id' });
await link('articles_blocks', 'articles_id', 'articles', { one_field: 'blocks', junction_field: 'item', sort_field: 'sort' });
await link('articles_blocks', 'item', null, { one_collection_field: 'collection', one_allowed_collections: ['headings', 'pictures'], junction_field: 'articles_id' });

await ask(createItems('authors', [{ name: 'Ann', born: '1980-05-01T10:00:00Z' }, { name: 'Bo', born: '1990-12-31T23:59:59Z' }, { name: 'Cy' }]));
await ask(createItems('tags', [{ name: 'red' }, { name: 'green' }, { name: 'blue' }]));
await ask(createItem('articles', {
  title: 'one', status: 'published', views: 10, at: '2025-01-15T08:30:00Z', author: 1,
  tags: [{ tags_id: 1 }, { tags_id: 2 }],
  blocks: [{ collection: 'headings', item: { text: 'Hello' } }, { collection: 'pictures', item: { url: 'a.png' } }],
}));
await ask(createItems('articles', [
  { title: 'two', status: 'draft', views: 20, at: '2025-06-15T09:30:00Z', author: 1, tags: { create: [{ tags_id: { id: 2 } }], update: [], delete: [] } },
  { title: 'three', status: 'published', views: 30, at: '2026-01-15T10:30:00Z', author: { id: 2 } },
  { title: 'four', status: 'published', views: 40, at: '2026-02-15T10:45:00Z', tags: [{ tags_id: 3 }] },
  { title: 'five', status: 'draft', author: 3 },
]));
const titles = async (query) => (await ask(readItems('articles', { sort: ['id'], ...query, fields: ['title'] }))).map((row) => row.title);

// Fields: names, nested objects, dots, stars, functions.
assert.deepEqual(await ask(readItem('articles', 1)), {
  id: 1, title: 'one', status: 'published', views: 10, at: '2025-01-15T08:30:00.000Z', author: 1, tags: [1, 2], blocks: [1, 2],
});
assert.deepEqual(await ask(readItem('articles', 1, { fields: ['title', { author: ['name'] }] })), { title: 'one', author: { name: 'Ann' } });
assert.deepEqual(await ask(readItem('articles', 1, { fields: ['author.name', 'tags.tags_id.name'] })), {
  author: { name: 'Ann' }, tags: [{ tags_id: { name: 'red' } }, { tags_id: { name: 'green' } }],
});
assert.deepEqual(await ask(readItem('articles', 1, { fields: [{ blocks: ['collection', { item: { headings: ['text'], pictures: ['url'] } }] }] })), {
  blocks: [{ collection: 'headings', item: { text: 'Hello' } }, { collection: 'pictures', item: { url: 'a.png' } }],
});
assert.deepEqual(await ask(readItem('articles', 4, { fields: ['title', { author: ['name'] }] })), { title: 'four', author: null });
assert.deepEqual(await ask(readItems('authors', { fields: ['name', { articles: ['title', { author: ['name'] }] }], limit: 1 })), [
  { name: 'Ann', articles: [{ title: 'one', author: { name: 'Ann' } }, { title: 'two', author: { name: 'Ann' } }] },
]);
const wide = await ask(readItem('articles', 1, { fields: ['*', { author: ['*'], tags: ['*'] }] }));
assert.equal(wide.author.born, '1980-05-01T10:00:00.000Z');
assert.deepEqual(wide.tags[1], { id: 2, articles_id: 1, tags_id: 2 });
assert.equal((await ask(readItem('articles', 1, { fields: ['*.*'] }))).author.name, 'Ann');
assert.equal((await ask(readItem('articles', 1, { fields: ['*.*.*'] }))).tags[0].tags_id.name, 'red');
assert.deepEqual(await ask(readItem('articles', 1, { fields: ['year(at)', 'count(tags)'] })), { at_year: 2025, tags_count: 2 });
await refused(ask(readItem('articles', 1, { fields: ['titel'] })), 'INVALID_QUERY');
await refused(ask(readItem('articles', 99)), 'NOT_FOUND');

// Filters: operators, dots, through relations, dynamic values.
assert.deepEqual(await titles({ filter: { status: { _eq: 'draft' } } }), ['two', 'five']);
assert.deepEqual(await titles({ filter: { _or: [{ views: { _lt: 15 } }, { views: { _null: true } }] } }), ['one', 'five']);
assert.deepEqual(await titles({ filter: { _and: [{ views: { _between: [15, 35] } }, { title: { _icontains: 'T' } }] } }), ['two', 'three']);
assert.deepEqual(await titles({ filter: { author: { name: { _eq: 'Ann' } } } }), ['one', 'two']);
assert.deepEqual(await titles({ filter: { author: { _eq: 2 } } }), ['three']);
assert.deepEqual(await titles({ filter: { 'author.name': { _in: ['Bo', 'Cy'] } } }), ['three', 'five']);
assert.deepEqual(await titles({ filter: { author: { id: { _null: true } } } }), ['four']);
assert.deepEqual(await titles({ filter: { tags: { tags_id: { name: { _eq: 'green' } } } } }), ['one', 'two']);
assert.deepEqual(await titles({ filter: { tags: { _some: { tags_id: { name: { _starts_with: 'r' } } } } } }), ['one']);
assert.deepEqual(await titles({ filter: { tags: { _none: { tags_id: { name: { _eq: 'green' } } } } } }), ['three', 'four', 'five']);
assert.deepEqual(await titles({ filter: { tags: { _null: true } } }), ['three', 'five']);
assert.deepEqual(await titles({ filter: { blocks: { 'item:headings': { text: { _eq: 'Hello' } } } } }), ['one']);
assert.deepEqual(await titles({ filter: { 'year(at)': { _eq: 2026 } } }), ['three', 'four']);
assert.deepEqual(await titles({ filter: { 'count(tags)': { _gt: 1 } } }), ['one']);
assert.deepEqual(await titles({ filter: { at: { _lt: '$NOW(-50 years)' } } }), []);
assert.deepEqual(await titles({ filter: { at: { _gte: '2026-01-01' } } }), ['three', 'four']);
await refused(titles({ filter: { nobody: { _eq: 1 } } }), 'INVALID_QUERY');
assert.deepEqual((await ask(readItems('authors', { filter: { articles: { views: { _gt: 15 } } }, fields: ['name'] }))).map((row) => row.name), ['Ann', 'Bo']);

// Search, order, pages.
assert.deepEqual(await titles({ search: 'THREE' }), ['three']);
assert.deepEqual(await titles({ sort: ['-views'] }), ['four', 'three', 'two', 'one', 'five']);
assert.deepEqual(await titles({ sort: ['-author.name', 'title'] }), ['five', 'three', 'one', 'two', 'four']);
assert.deepEqual(await titles({ sort: '-year(at)', filter: { at: { _nnull: true } }, limit: 1 }), ['three']);
assert.deepEqual(await titles({ limit: 2, page: 2 }), ['three', 'four']);
assert.deepEqual(await titles({ limit: 2, offset: 1 }), ['two', 'three']);
assert.deepEqual(await titles({ limit: -1 }), ['one', 'two', 'three', 'four', 'five']);

// Relations with a query of their own, under their name or another.
assert.deepEqual(await ask(readItems('authors', {
  fields: ['name', { articles: ['title'] }], deep: { articles: { _filter: { status: { _eq: 'published' } }, _sort: ['-views'], _limit: 1 } }, sort: ['name'],
})), [{ name: 'Ann', articles: [{ title: 'one' }] }, { name: 'Bo', articles: [{ title: 'three' }] }, { name: 'Cy', articles: [] }]);
assert.deepEqual(await ask(readItem('authors', 1, {
  fields: ['drafts.title', 'all.title'], alias: { drafts: 'articles', all: 'articles' }, deep: { drafts: { _filter: { status: { _eq: 'draft' } } }, all: { _sort: ['-id'] } },
})), { drafts: [{ title: 'two' }], all: [{ title: 'two' }, { title: 'one' }] });
assert.deepEqual(await ask(readItem('authors', 1, {
  fields: [{ articles: [{ tags: [{ tags_id: ['name'] }] }] }], deep: { articles: { tags: { _filter: { tags_id: { name: { _eq: 'red' } } } } } },
})), { articles: [{ tags: [{ tags_id: { name: 'red' } }] }, { tags: [] }] });
assert.deepEqual(await ask(readItem('articles', 1, { fields: ['name'], alias: { name: 'title' } })), { name: 'one' });

// Groups.
assert.deepEqual(await ask(aggregate('articles', { aggregate: { count: '*' } })), [{ count: 5 }]);
assert.deepEqual(await ask(aggregate('articles', { aggregate: { count: ['id', 'views'], sum: ['views'], min: ['views'], max: ['views'], avg: ['views'], countDistinct: ['status'] } })), [
  { count: { id: 5, views: 4 }, sum: { views: 100 }, min: { views: 10 }, max: { views: 40 }, avg: { views: 25 }, countDistinct: { status: 2 } },
]);
assert.deepEqual(await ask(aggregate('articles', { aggregate: { count: '*' }, groupBy: ['status'] })), [{ status: 'draft', count: 2 }, { status: 'published', count: 3 }]);
assert.deepEqual(await ask(aggregate('articles', { aggregate: { count: '*', sum: ['views'] }, groupBy: ['year(at)', 'month(at)'], query: { filter: { at: { _nnull: true } } } })), [
  { at_year: 2025, at_month: 1, count: 1, sum: { views: 10 } }, { at_year: 2025, at_month: 6, count: 1, sum: { views: 20 } },
  { at_year: 2026, at_month: 1, count: 1, sum: { views: 30 } }, { at_year: 2026, at_month: 2, count: 1, sum: { views: 40 } },
]);
assert.deepEqual(await ask(readItems('articles', { aggregate: { countAll: '*' }, filter: { author: { name: { _eq: 'Ann' } } } })), [{ countAll: 2 }]);
assert.deepEqual(await ask(aggregate('articles', { aggregate: { sum: ['views'] }, groupBy: ['author'], query: { sort: ['-author'], limit: 1 } })), [{ author: 3, sum: { views: null } }]);

// The query in the body.
assert.deepEqual(await ask(withSearch(readItems('articles', { fields: ['title', { author: ['name'] }], filter: { tags: { tags_id: { name: { _eq: 'green' } } } }, sort: ['-id'] }))), [
  { title: 'two', author: { name: 'Ann' } }, { title: 'one', author: { name: 'Ann' } },
]);
assert.deepEqual(await ask(withSearch(readItems('authors', { fields: ['mine.title'], alias: { mine: 'articles' }, deep: { mine: { _limit: 1 } }, limit: 1 }))), [{ mine: [{ title: 'one' }] }]);
assert.deepEqual(await ask(withSearch(aggregate('articles', { aggregate: { count: '*' }, groupBy: ['status'] }))), [{ status: 'draft', count: 2 }, { status: 'published', count: 3 }]);

// The same for somebody who may see a part.
const policy = await ask(createPolicy({ name: 'Readers' }));
const may = (collection, fields, permissions = null) => ({ policy: policy.id, collection, action: 'read', fields, permissions });
await ask(createPermissions([
  may('articles', ['id', 'title', 'author', 'tags'], { status: { _eq: 'published' } }), may('authors', ['id', 'name', 'articles']), may('articles_tags', ['*']), may('tags', ['*'], { name: { _neq: 'red' } }),
]));
const user = await ask(createUser({ email: 'reader@example.com', token: 'the token of a reader', status: 'active' }));
await ask(customEndpoint({ method: 'POST', path: '/access', body: JSON.stringify({ user: user.id, policy: policy.id }) }));
const reader = as('the token of a reader');
assert.deepEqual((await reader.request(readItems('articles'))).map((row) => Object.keys(row).join()), Array(3).fill('id,title,author,tags'));
assert.deepEqual(await reader.request(readItems('authors', { fields: ['name', { articles: ['title'] }], sort: ['id'] })), [
  { name: 'Ann', articles: [{ title: 'one' }] }, { name: 'Bo', articles: [{ title: 'three' }] }, { name: 'Cy', articles: [] },
]);
assert.deepEqual(await reader.request(readItem('articles', 1, { fields: ['tags.tags_id.name'] })), { tags: [{ tags_id: null }, { tags_id: { name: 'green' } }] });
assert.deepEqual(await reader.request(readItems('articles', { filter: { tags: { tags_id: { name: { _eq: 'red' } } } } })), []);
assert.deepEqual(await reader.request(aggregate('articles', { aggregate: { count: '*' } })), [{ count: 3 }]);
await refused(reader.request(readItems('articles', { filter: { views: { _gt: 1 } } })), 'FORBIDDEN');
await refused(reader.request(readItems('articles', { sort: ['views'] })), 'FORBIDDEN');
await refused(reader.request(readItems('articles', { fields: ['views'] })), 'FORBIDDEN');
await refused(reader.request(readItem('articles', 2)), 'NOT_FOUND');
await refused(reader.request(readItems('headings')), 'FORBIDDEN');
console.log('ok');
