// The host's log by the service, with fields.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
for (let i = 0; i < 1000; i++) services.log.error('x'.repeat(10000), { field: 'y'.repeat(100000) });
