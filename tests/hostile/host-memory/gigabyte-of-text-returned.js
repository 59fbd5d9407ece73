// A result of a gigabyte.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
// memory: 64
// timeout: 2000
return { title: 'x'.repeat(2 ** 29) + 'x'.repeat(2 ** 29) };
