// Getters and setters, each a function.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const o = {};
for (let i = 0; ; i++) Object.defineProperty(o, `k${i}`, { get: () => i, set() {} });
