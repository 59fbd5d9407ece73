// What one call does to its payload and its meta stays in it.
// expect: 201
// timeout: 2000
Object.setPrototypeOf(meta, null);
meta.event = 'other.items.create';
meta.collection = 'daas_users';
payload.title = 'changed in place';
