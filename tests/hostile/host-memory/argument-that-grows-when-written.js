// An argument of a service that is six times as long as JSON.
// expect: 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE
// memory: 64
// timeout: 3000
await (await services.items('log')).readByQuery({ filter: { text: { _eq: '\u0001'.repeat(2 << 20) } } });
