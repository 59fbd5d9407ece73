// 2^60 values behind sixty lists.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE | 504 EXTENSION_TIMEOUT
let a = [1];
for (let i = 0; i < 60; i++) a = [a, a];
return { body: a };
