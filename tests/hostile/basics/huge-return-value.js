// A row larger than a payload may be.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE
// memory: 64
// timeout: 2000
return { title: 'x'.repeat(12 << 20) };
