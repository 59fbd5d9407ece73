// constructor and prototype are plain keys, of which the collection has none.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
return { title: 'x', constructor: { prototype: { admin: true } } };
