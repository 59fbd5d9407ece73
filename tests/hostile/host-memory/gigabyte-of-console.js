// A gigabyte is written for the log (vm2 GHSA-6785: memory of the host that nobody counts).
// expect: 504 EXTENSION_TIMEOUT | 201
// memory: 64
const line = 'x'.repeat(1 << 20);
for (let i = 0; i < 1024; i++) console.log(line);
