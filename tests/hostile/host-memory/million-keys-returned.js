// A row of a million members.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
// host memory: 64
// memory: 256
// timeout: 4000
const row = {};
for (let i = 0; i < 1e6; i++) row[`k${i}`] = 0;
return row;
