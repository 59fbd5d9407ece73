// Set methods on an object that changes the set while it is asked; one that adds at each question has no end.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
for (const name of ['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom']) {
  const s = new Set(Array.from({ length: 500 }, (_, i) => i));
  const other = {
    size: 1e3,
    has(x) {
      s.clear();
      s.add({ x });
      return x % 2;
    },
    keys() {
      s.clear();
      let n = 0;
      return {
        next: () => {
          s.delete(n);
          s.add(n + 1000);
          return { done: n++ > 300, value: n };
        },
        return() {
          s.clear();
          return {};
        },
      };
    },
  };
  try {
    s[name](other);
  } catch {}
}
