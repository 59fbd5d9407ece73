// A query nested deeper than a reader's stack.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
let filter = { text: { _eq: 'x' } };
for (let i = 0; i < 5000; i++) filter = { _and: [filter] };
await (await services.items('log')).readByQuery({ filter });
