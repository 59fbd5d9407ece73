// A million errors in one.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED | 400 EXTENSION_ERROR
await Promise.any(Array.from({ length: 1e6 }, () => Promise.reject(new Error('no'))));
