// A reviver that adds to, and removes from, what it walks.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
let n = 0;
JSON.parse('[1,[2,[3,{"a":4,"b":[5,6]}]],7]', function (k, v) {
  if (n++ < 1000) {
    if (Array.isArray(this)) this.length = 2;
    this[k] = [1, { n }];
    this.b = this;
  }
  return n % 3 ? v : undefined;
});
