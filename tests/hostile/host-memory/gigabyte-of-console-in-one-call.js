// One call of the console with a thousand megabytes as arguments.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 201
// memory: 64
// timeout: 1000
const line = 'x'.repeat(1 << 20);
console.log(...new Array(1024).fill(line));
