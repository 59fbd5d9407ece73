// One byte more than the whole limit is refused.
// expect: 500 EXTENSION_OUT_OF_MEMORY
// timeout: 1000
// memory: 64
new Uint8Array((64 << 20) + 1).fill(1);
