// A proxy whose list of keys is a huge array-like.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
Reflect.ownKeys(new Proxy({}, { ownKeys: () => ({ length: 2 ** 31 }) }));
