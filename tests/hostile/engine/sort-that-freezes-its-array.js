// What is sorted cannot be written any more.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const a = Array.from({ length: 100 }, (_, i) => 100 - i);
let n = 0;
try {
  a.sort((x, y) => {
    if (++n === 50) Object.freeze(a);
    return x - y;
  });
} catch (e) {
  if (!(e instanceof TypeError)) throw e;
}
