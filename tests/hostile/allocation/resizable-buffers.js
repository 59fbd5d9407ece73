// Buffers that are small now and may become large.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED | 201
const all = [];
for (let i = 0; i < 1000; i++) all.push(new ArrayBuffer(1, { maxByteLength: 1 << 30 }));
