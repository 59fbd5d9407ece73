// Getters of one argument that shorten another.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const b = Array.from({ length: 1000 }, (_, i) => ({ i }));
const a = [1];
Object.defineProperty(a, 0, {
  get() {
    b.length = 3;
    return 1;
  },
});
a.concat(b, a, b);
