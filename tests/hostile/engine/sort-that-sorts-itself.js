// A comparator that sorts the same array.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
const a = Array.from({ length: 200 }, (_, i) => (i * 37) % 200);
let depth = 0;
const by = (x, y) => {
  if (depth < 3) {
    depth++;
    a.sort(by);
    depth--;
  }
  return x - y;
};
a.sort(by);
