// A read whose answer does not fit is an end by memory, not of the worker.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 413 EXTENSION_PAYLOAD_TOO_LARGE | 400 EXTENSION_ERROR
// host memory: 96
// timeout: 1000
const own = await services.items(meta.collection, { emitEvents: false });
await own.createMany(Array.from({ length: 60 }, () => ({ body: 'x'.repeat(100000) })));
const all = [];
for (let i = 0; i < 10; i++) all.push(await own.readByQuery({ limit: 100, fields: ['body'] }));
throw new Error('what was written is taken back');
