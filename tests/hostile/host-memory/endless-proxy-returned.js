// A result that makes up its members while it is read.
// expect: 413 EXTENSION_PAYLOAD_TOO_LARGE | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
const p = new Proxy(
  {},
  {
    ownKeys: () => Array.from({ length: 1000 }, (_, i) => `k${i}`),
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    get: () => p,
  },
);
return p;
