// Copies that are thrown away.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const data = new Uint8Array(3 << 20);
for (;;) structuredClone({ data, again: [data, data.subarray(5)] });
