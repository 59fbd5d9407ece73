// A row of members that the collection does not have.
// expect: 500 EXTENSION_FAILED
// host memory: 64
// memory: 64
// timeout: 2000
const row = {};
for (let i = 0; i < 1e5; i++) row[`k${i}`] = 0;
return row;
