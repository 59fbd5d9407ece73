// Characters that take six bytes each as JSON.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE
// memory: 64
// timeout: 3000
return { body: '\u0001'.repeat(2 << 20) };
