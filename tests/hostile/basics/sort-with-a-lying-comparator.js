// A comparator that contradicts itself.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = Array.from({ length: 1e6 }, (_, i) => i);
for (;;) a.sort(() => Math.random() - 0.5);
