// A name and a code that are texts, but no names.
// expect: 422 EXTENSION_ERROR
// memory: 64
// timeout: 2000
throw Object.assign(new Error('small'), { name: 'N'.repeat(4 << 20), code: 'C'.repeat(4 << 20), status: 422 });
