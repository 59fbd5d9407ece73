// The glue's own copy, on a large graph.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = Array.from({ length: 5000 }, (_, i) => ({ i, list: [i] }));
for (;;) structuredClone(a);
