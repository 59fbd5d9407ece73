// A proxy that says it is an array of four thousand million.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
JSON.stringify(new Proxy([], { get: (t, k) => (k === 'length' ? 2 ** 32 - 1 : undefined) }));
