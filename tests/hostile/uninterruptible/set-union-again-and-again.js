// Sets joined, crossed and compared.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = new Set(Array.from({ length: 50000 }, (_, i) => i));
for (;;) {
  a.union(a);
  a.isSubsetOf(a);
  a.symmetricDifference(a);
}
