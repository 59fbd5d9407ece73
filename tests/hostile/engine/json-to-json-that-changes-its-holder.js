// toJSON and getters that remove what is being written.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const list = Array.from({ length: 200 }, (_, i) => ({
  i,
  toJSON() {
    list.length = Math.max(1, list.length - 3);
    return this;
  },
}));
JSON.stringify(list);
const o = {
  get a() {
    delete o.b;
    o.c = {};
    return o.c;
  },
  b: 1,
};
JSON.stringify(o, null, ' '.repeat(10));
