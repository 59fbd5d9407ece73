// The client of Directus as it is published: items in every form, who may do what, a collection of one item.
// `node write.mjs <base URL> <token of an admin>`: ends with 1 and says why where something isn't as the client expects it.
import assert from 'node:assert/strict';
import {
  createCollection, createDirectus, createItem, createItems, createPermission, createPermissions, createPolicy, createRole, createUser,
  customEndpoint, deleteItem, deleteItems, deletePermission, deletePolicy, deleteRole, deleteUser, readItem, readItemPermissions, readItems, readMe,
  readPermissions, readPolicies, readPolicyGlobals, readRole, readRoles, readRolesMe, readSingleton, readUser, readUserPermissions, readUsers, rest, staticToken,
  updateItem, updateItems, updateItemsBatch, updateMe, updatePermission, updatePolicy, updateRole, updateSingleton, updateUser,
} from '@directus/sdk';
import { field, refused } from './common.mjs';

const [base, token] = process.argv.slice(2);
const as = (secret) => createDirectus(base).with(staticToken(secret)).with(rest());
const admin = as(token);
const ask = (...command) => admin.request(...command);

await ask(createCollection({
  collection: 'plants', meta: {}, schema: {},
  fields: [field('name', 'string'), field('height', 'integer'), field('kind', 'string', { default_value: 'tree' })],
}));

// One and many.
const oak = await ask(createItem('plants', { name: 'oak', height: 20 }));
assert.deepEqual(oak, { id: 1, name: 'oak', height: 20, kind: 'tree' });
assert.deepEqual(await ask(createItem('plants', { name: 'elm' }, { fields: ['name'] })), { name: 'elm' });
const many = await ask(createItems('plants', [{ name: 'fern', kind: 'fern' }, { name: 'moss', kind: 'moss' }]));
assert.deepEqual(many.map((row) => row.name), ['fern', 'moss']);
assert.deepEqual(await ask(updateItem('plants', 1, { height: 21 }, { fields: ['id', 'height'] })), { id: 1, height: 21 });
const byKeys = await ask(updateItems('plants', [1, 2], { height: 5 }));
assert.deepEqual(byKeys.map((row) => [row.id, row.height]), [[1, 5], [2, 5]]);
const byQuery = await ask(updateItems('plants', { filter: { kind: { _in: ['fern', 'moss'] } } }, { height: 1 }));
assert.deepEqual(byQuery.map((row) => row.height), [1, 1]);
const batch = await ask(updateItemsBatch('plants', [{ id: 1, height: 7 }, { id: 2, height: 8 }]));
assert.deepEqual(batch.map((row) => row.height), [7, 8]);
await ask(deleteItem('plants', 1));
await refused(ask(readItem('plants', 1)), 'NOT_FOUND');
await ask(deleteItems('plants', [2]));
await ask(deleteItems('plants', { filter: { kind: { _eq: 'moss' } } }));
assert.deepEqual((await ask(readItems('plants'))).map((row) => row.name), ['fern']);

// Users, roles, policies, permissions.
const role = await ask(createRole({ name: 'Gardeners' }));
assert.equal((await ask(updateRole(role.id, { description: 'They water' }))).description, 'They water');
assert.equal((await ask(readRole(role.id))).name, 'Gardeners');
const policy = await ask(createPolicy({ name: 'Gardening' }));
assert.equal((await ask(updatePolicy(policy.id, { app_access: true }))).app_access, true);
const ofFerns = { policy: policy.id, collection: 'plants', permissions: { kind: { _eq: 'fern' } } };
const may = await ask(createPermissions([
  { ...ofFerns, action: 'read', fields: ['*'] },
  { ...ofFerns, action: 'update', fields: ['height'], validation: { height: { _lt: 100 } }, presets: { name: 'preset' } },
]));
const create = await ask(createPermission({ policy: policy.id, collection: 'plants', action: 'create', fields: ['name'], presets: { kind: 'fern' } }));
assert.deepEqual((await ask(updatePermission(create.id, { fields: ['name', 'height'] }))).fields, ['name', 'height']);
assert.equal((await ask(readPermissions({ filter: { policy: { _eq: policy.id } } }))).length, 3);
assert.equal((await ask(readPolicies({ filter: { name: { _eq: 'Gardening' } } }))).length, 1);
assert.ok((await ask(readRoles())).some((each) => each.id === role.id));
const secret = 'the token of a gardener';
const user = await ask(createUser({ email: 'gardener@example.com', password: 'compost heap', token: secret, status: 'active' }));
assert.equal(user.password, '**********');
assert.equal((await ask(updateUser(user.id, { first_name: 'Green' }))).first_name, 'Green');
assert.equal((await ask(readUser(user.id))).email, 'gardener@example.com');
assert.ok((await ask(readUsers({ fields: ['id'] }))).some((each) => each.id === user.id));
await ask(customEndpoint({ method: 'POST', path: '/user-roles', body: JSON.stringify({ user: user.id, role: role.id }) }));
await ask(customEndpoint({ method: 'POST', path: '/access', body: JSON.stringify({ role: role.id, policy: policy.id }) }));

// What that comes to, for who has it.
const gardener = as(secret);
const pine = await ask(createItem('plants', { name: 'pine' }));
const rose = await gardener.request(createItem('plants', { name: 'shield fern' }));
assert.equal(rose.kind, 'fern');
assert.deepEqual((await gardener.request(readItems('plants'))).map((row) => row.name), ['fern', 'shield fern']);
await refused(gardener.request(readItem('plants', pine.id)), 'NOT_FOUND');
await refused(gardener.request(updateItem('plants', pine.id, { height: 1 })), 'NOT_FOUND');
await refused(gardener.request(updateItem('plants', rose.id, { height: 100 })), 'FAILED_VALIDATION');
await refused(gardener.request(updateItem('plants', rose.id, { name: 'x' })), 'FORBIDDEN');
await refused(gardener.request(deleteItem('plants', rose.id)), 'FORBIDDEN');
assert.equal((await gardener.request(updateItem('plants', rose.id, { height: 3 }))).name, 'preset');
assert.deepEqual(await gardener.request(readItemPermissions('plants', rose.id)), {
  update: { access: true, fields: ['height'], presets: { name: 'preset' } }, delete: { access: false }, share: { access: false },
});
assert.equal((await gardener.request(readItemPermissions('plants', pine.id))).update.access, false);
assert.equal((await gardener.request(readUserPermissions())).plants.read.access, 'partial');
assert.deepEqual(await gardener.request(readPolicyGlobals()), { app_access: true, admin_access: false, enforce_tfa: false });
assert.deepEqual((await gardener.request(readRolesMe())).map((each) => each.name), ['Gardeners']);
assert.equal((await gardener.request(readMe({ fields: ['first_name'] }))).first_name, 'Green');
assert.equal((await gardener.request(updateMe({ last_name: 'Thumb' }))).last_name, 'Thumb');

// One item without a key.
await ask(createCollection({ collection: 'garden', meta: { singleton: true }, schema: {}, fields: [field('name', 'string', { default_value: 'Eden' }), field('area', 'integer')] }));
assert.equal((await ask(readSingleton('garden'))).name, 'Eden');
assert.equal((await ask(updateSingleton('garden', { area: 7 }))).area, 7);
assert.equal((await ask(updateSingleton('garden', { name: 'Kew' }))).area, 7);
assert.deepEqual(await ask(readSingleton('garden', { fields: ['name', 'area'] })), { name: 'Kew', area: 7 });

await ask(deletePermission(may[0].id));
await ask(deleteUser(user.id));
await ask(deleteRole(role.id));
await ask(deletePolicy(policy.id));
console.log('ok');
