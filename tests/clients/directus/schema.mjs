// The client of Directus as it is published: the schema, piece by piece and as one document, and the rest of who may do what.
// `node schema.mjs <base URL> <token of an admin>`: ends with 1 and says why where something isn't as the client expects it.
import assert from 'node:assert/strict';
import {
  createCollection, createDirectus, createField, createItem, createItems, createPermissions, createPolicies, createPolicy, createRelation, createRoles,
  createUsers, deleteCollection, deleteField, deleteItems, deletePermissions, deletePolicies, deleteRelation, deleteRoles, deleteUsers, readCollection,
  readCollections, readField, readFields, readFieldsByCollection, readItem, readItemPermissions, readItems, readPermission, readPolicies, readPolicy,
  readRelation, readRelationByCollection, readRelations, readRoles, readUser, readUsers, rest, schemaApply, schemaDiff, schemaSnapshot,
  staticToken, updateCollection, updateCollectionsBatch, updateField, updateFields, updateItem, updateItems, updatePermissions, updatePolicies,
  updateRelation, updateRoles, updateUsers, withToken,
} from '@directus/sdk';
import { refused } from './common.mjs';

const [base, token] = process.argv.slice(2);
const admin = createDirectus(base).with(staticToken(token)).with(rest());
const ask = (...command) => admin.request(...command);
const key = { field: 'id', type: 'uuid', meta: { hidden: true, special: ['uuid'], interface: 'input' }, schema: { is_primary_key: true, length: 36, has_auto_increment: false } };

// Collections, as the app of Directus makes them.
const shops = await ask(createCollection({
  collection: 'shops', schema: {}, meta: { singleton: false, icon: 'store', sort_field: 'sort', archive_field: 'status' },
  fields: [
    key,
    { field: 'status', type: 'string', meta: { width: 'full', options: { choices: [{ text: 'Draft', value: 'draft' }] }, interface: 'select-dropdown' }, schema: { default_value: 'draft', is_nullable: false } },
    { field: 'sort', type: 'integer', meta: { interface: 'input', hidden: true }, schema: {} },
    { field: 'user_created', type: 'uuid', meta: { special: ['user-created'], readonly: true }, schema: {} },
    { field: 'date_created', type: 'timestamp', meta: { special: ['date-created'], display: 'datetime' }, schema: {} },
  ],
}));
assert.equal(shops.collection, 'shops');
assert.equal(shops.meta.icon, 'store');
assert.equal((await ask(readCollection('shops'))).schema.name, 'shops');
assert.ok((await ask(readCollections())).some((each) => each.collection === 'shops'));
assert.equal((await ask(updateCollection('shops', { meta: { note: 'Where things are sold' } }))).meta.note, 'Where things are sold');
assert.equal((await ask(updateCollectionsBatch([{ collection: 'shops', meta: { sort: 3 } }])))[0].meta.sort, 3);
await refused(ask(createCollection({ collection: 'shops', schema: {}, meta: {} })), 'CONFLICT');

// Fields.
const name = await ask(createField('shops', { field: 'name', type: 'string', schema: { max_length: 50, is_unique: true }, meta: { required: true, validation: { _and: [{ name: { _nempty: true } }] }, validation_message: 'A shop has a name' } }));
assert.equal(name.schema.max_length, 50);
assert.deepEqual(name.meta.validation, { _and: [{ name: { _nempty: true } }] });
assert.equal((await ask(readField('shops', 'name'))).type, 'string');
assert.ok((await ask(readFieldsByCollection('shops'))).some((each) => each.field === 'name'));
assert.ok((await ask(readFields())).some((each) => each.collection === 'shops' && each.field === 'name'));
assert.equal((await ask(updateField('shops', 'name', { meta: { note: 'On the sign' }, schema: { max_length: 80 } }))).schema.max_length, 80);
const both = await ask(updateFields('shops', [{ field: 'name', meta: { sort: 9 } }, { field: 'status', meta: { sort: 1 } }]));
assert.deepEqual(both.map((each) => each.meta.sort), [9, 1]);
await refused(ask(createItem('shops', { name: '' })), 'FAILED_VALIDATION');
const shop = await ask(createItem('shops', { name: 'Corner' }));
assert.match(shop.id, /^[0-9a-f-]{36}$/);
assert.equal(shop.status, 'draft');
assert.ok(shop.user_created && shop.date_created);

// Relations: many to one with its list, in the order of a field.
await ask(createCollection({ collection: 'goods', schema: {}, meta: {}, fields: [key, { field: 'title', type: 'string', schema: {}, meta: {} }, { field: 'shop', type: 'uuid', schema: {}, meta: { special: ['m2o'] } }, { field: 'place', type: 'integer', schema: {}, meta: {} }] }));
await ask(createField('shops', { field: 'goods', type: 'alias', schema: null, meta: { special: ['o2m'], interface: 'list-o2m' } }));
const relation = await ask(createRelation({ collection: 'goods', field: 'shop', related_collection: 'shops', meta: { one_field: 'goods', sort_field: 'place', one_deselect_action: 'nullify' }, schema: { on_delete: 'SET NULL' } }));
assert.equal(relation.related_collection, 'shops');
assert.equal((await ask(readRelation('goods', 'shop'))).schema.on_delete, 'SET NULL');
assert.equal((await ask(readRelationByCollection('goods'))).length, 1);
assert.ok((await ask(readRelations())).some((each) => each.collection === 'goods'));
assert.equal((await ask(updateRelation('goods', 'shop', { schema: { on_delete: 'CASCADE' } }))).schema.on_delete, 'CASCADE');
const places = async () => (await ask(readItem('shops', shop.id, { fields: ['goods.title', 'goods.place'] }))).goods.map((each) => [each.title, each.place]);
await ask(updateItem('shops', shop.id, { goods: [{ title: 'a' }, { title: 'b' }] }));
await ask(updateItem('shops', shop.id, { goods: { create: [{ title: 'c' }, { title: 'd' }], update: [], delete: [] } }));
assert.deepEqual(await places(), [['a', 1], ['b', 2], ['c', 3], ['d', 4]]);
assert.deepEqual((await ask(updateItems('goods', { filter: { place: { _gt: 2 } } }, { title: 'e' }, { fields: ['title'] }))), [{ title: 'e' }, { title: 'e' }]);
await ask(deleteItems('goods', { filter: { title: { _eq: 'e' } } }));
assert.deepEqual(await places(), [['a', 1], ['b', 2]]);

// The schema as one document, to another state and back.
const before = await ask(schemaSnapshot());
assert.equal(before.version, 1);
await ask(createField('goods', { field: 'price', type: 'decimal', schema: { numeric_precision: 10, numeric_scale: 2 }, meta: {} }));
await ask(deleteField('goods', 'title'));
const after = await ask(schemaSnapshot());
const back = await ask(schemaDiff(before));
assert.ok(back.hash);
await ask(schemaApply(back));
assert.ok(!(await ask(schemaDiff(before)))?.hash);
assert.ok((await ask(readField('goods', 'title'))).field === 'title');
await refused(ask(readField('goods', 'price')), 'NOT_FOUND');
await ask(schemaApply(await ask(schemaDiff(after))));
assert.equal((await ask(readField('goods', 'price'))).type, 'decimal');

await ask(deleteRelation('goods', 'shop'));
await refused(ask(readRelation('goods', 'shop')), 'NOT_FOUND');
await ask(deleteCollection('goods'));
await refused(ask(readItems('goods')), 'COLLECTION_NOT_FOUND');

// Who may do what, several at a time.
const roles = await ask(createRoles([{ name: 'Clerks' }, { name: 'Owners' }]));
assert.deepEqual((await ask(updateRoles(roles.map((each) => each.id), { icon: undefined, description: 'Of a shop' }))).map((each) => each.description), ['Of a shop', 'Of a shop']);
assert.deepEqual((await ask(readRoles({ filter: { name: { _in: ['Clerks', 'Owners'] } }, sort: ['name'], fields: ['name'] }))), [{ name: 'Clerks' }, { name: 'Owners' }]);
const [selling] = await ask(createPolicies([{
  name: 'Selling', permissions: [{ collection: 'shops', action: 'read', fields: ['*'], permissions: null }, { collection: 'shops', action: 'update', fields: ['name'], permissions: { status: { _eq: 'draft' } } }],
}]));
const whole = await ask(readPolicy(selling.id, { fields: ['name', { permissions: ['id', 'action'] }] }));
assert.deepEqual(whole.permissions.map((each) => each.action), ['read', 'update']);
const [reading, updating] = whole.permissions.map((each) => each.id);
assert.deepEqual((await ask(readPermission(updating))).permissions, { status: { _eq: 'draft' } });
assert.deepEqual((await ask(updatePermissions([updating], { fields: ['name', 'status'] }))).map((each) => each.fields), [['name', 'status']]);
await refused(ask(updatePermissions([updating], { permissions: { stat: { _eq: 'draft' } } })), 'FAILED_VALIDATION');
await ask(updateRoles([roles[0].id], { policies: [{ policy: selling.id }] }));
const secret = 'the token of a clerk';
const [clerk] = await ask(createUsers([{ email: 'clerk@example.com', password: 'under the counter', token: secret, roles: [{ role: roles[0].id }] }]));
assert.deepEqual(await ask(readUser(clerk.id, { fields: ['email', { roles: [{ role: ['name'] }] }] })), { email: 'clerk@example.com', roles: [{ role: { name: 'Clerks' } }] });
assert.equal((await ask(readUsers({ filter: { roles: { role: { name: { _eq: 'Clerks' } } } } }))).length, 1);
assert.equal((await ask(readPolicies({ search: 'selling' }))).length, 1);
const rights = await ask(withToken(secret, readItemPermissions('shops', shop.id)));
assert.equal(rights.update.access, true);
assert.deepEqual(rights.update.fields, ['name', 'status']);
assert.equal(rights.delete.access, false);
assert.equal((await ask(withToken(secret, updateItem('shops', shop.id, { name: 'Corner shop' })))).name, 'Corner shop');
await refused(ask(withToken(secret, updateItem('shops', shop.id, { status: 'open' }))), 'FORBIDDEN');
await ask(updateUsers([clerk.id], { status: 'suspended' }));
await refused(ask(withToken(secret, readItems('shops'))), 'INVALID_CREDENTIALS');

await ask(deletePermissions([reading, updating]));
await ask(deleteUsers([clerk.id]));
await ask(deleteRoles(roles.map((each) => each.id)));
await ask(deletePolicies([selling.id]));
assert.equal((await ask(readPolicies({ filter: { id: { _eq: selling.id } } }))).length, 0);
await ask(deleteCollection('shops'));
console.log('ok');
