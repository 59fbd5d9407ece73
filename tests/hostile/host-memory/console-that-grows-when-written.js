// Lines for the log that are six times as long as JSON.
// expect: 201
// memory: 64
// timeout: 1000
for (let i = 0; i < 40; i++) console.log('\u0001'.repeat(1 << 16));
