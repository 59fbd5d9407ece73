// A hundred thousand keys, asked for at once.
// expect: 201 | 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE | 504 EXTENSION_TIMEOUT
// host memory: 96
// memory: 64
// timeout: 1000
await (await services.items('log')).readMany(Array.from({ length: 100000 }, (_, i) => i));
