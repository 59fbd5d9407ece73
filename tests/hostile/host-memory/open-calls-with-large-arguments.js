// As many calls of services as may be open, each with megabytes, none of them awaited.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE
// host memory: 96
// memory: 64
// timeout: 2000
const log = await services.items('log', { emitEvents: false });
const all = [];
for (let i = 0; i < 200; i++) all.push(log.readByQuery({ filter: { text: { _eq: 'x'.repeat(1 << 20) } }, limit: 1 }).catch(() => {}));
await Promise.all(all);
