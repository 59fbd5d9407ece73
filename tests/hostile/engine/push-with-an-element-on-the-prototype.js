// A setter on Array.prototype in the way of push.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const a = [];
Object.defineProperty(Array.prototype, 3, {
  configurable: true,
  set() {
    a.length = 0;
    a.push(new Array(50));
  },
  get() {
    return 1;
  },
});
for (let n = 0; n < 100; n++) {
  try {
    a.push(1, 2, 3, 4, 5, 6);
  } catch {}
}
delete Array.prototype[3];
