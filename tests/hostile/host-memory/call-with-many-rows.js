// Rows by the hundred thousand in one call, which a transaction has no time for.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE | 503 TRANSACTION_TIMEOUT
// host memory: 160
// memory: 64
// timeout: 1000
await (await services.items('log', { emitEvents: false })).createMany(Array.from({ length: 100000 }, (_, i) => ({ text: `${i}` })));
throw new Error('what was written is taken back');
