// A small text that is named ten thousand times.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE
// timeout: 2000
const s = 'x'.repeat(100000);
return { body: new Array(10000).fill(s) };
