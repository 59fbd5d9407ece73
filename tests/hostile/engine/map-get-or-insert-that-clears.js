// A computed value whose computation empties the map.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const m = new Map();
for (let i = 0; i < 500; i++) {
  try {
    m.getOrInsertComputed?.(i, () => {
      m.clear();
      m.set(i, 2);
      return {};
    });
  } catch {}
}
Map.groupBy([1, 2, 3], (x) => {
  m.clear();
  return x;
});
