// A megabyte of bytes where text is expected.
// expect: 500 EXTENSION_FAILED | 413 EXTENSION_PAYLOAD_TOO_LARGE
// timeout: 2000
return { body: new Uint8Array(8 << 20) };
