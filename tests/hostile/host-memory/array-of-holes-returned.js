// A list that is long and empty.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE | 504 EXTENSION_TIMEOUT
const a = [];
a.length = 4e9;
return { body: a };
