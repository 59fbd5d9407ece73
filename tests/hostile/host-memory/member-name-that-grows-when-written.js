// The name of a member that is six times as long as JSON.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE
// memory: 64
// timeout: 3000
return { ['\u0001'.repeat(2 << 20)]: 1 };
