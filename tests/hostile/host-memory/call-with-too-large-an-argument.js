// One argument that is larger than a payload may be.
// expect: 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
// timeout: 2000
await (await services.items('log')).readByQuery({ filter: { text: { _eq: 'x'.repeat(11 << 20) } } });
