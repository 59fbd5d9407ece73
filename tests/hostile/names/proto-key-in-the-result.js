// A row that came from JSON with __proto__ in it is a row with a member of that name, and pollutes nothing (Parse GHSA-5j86): the collection has no such field.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
return JSON.parse('{"title":"x","__proto__":{"admin":true}}');
