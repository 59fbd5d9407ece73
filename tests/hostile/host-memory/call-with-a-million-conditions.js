// A query that is all conditions.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE
// host memory: 96
// memory: 64
// timeout: 1000
await (await services.items('log')).readByQuery({ filter: { _or: Array.from({ length: 200000 }, (_, i) => ({ text: { _eq: `${i}` } })) } });
