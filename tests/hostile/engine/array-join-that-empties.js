// Elements whose text removes the elements after them.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const a = Array.from({ length: 500 }, () => ({
  toString() {
    a.length = 1;
    new Array(500).fill({});
    return 'x';
  },
}));
a.join();
a.toString();
