// Groups of a large list.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = Array.from({ length: 50000 }, (_, i) => i);
for (;;) Map.groupBy(a, String);
