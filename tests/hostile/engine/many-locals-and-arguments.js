// Functions with more arguments, spread members and captured names than are usual.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
const args = Array.from({ length: 30000 }, (_, i) => i);
const f = (...all) => all.length;
for (const n of [10, 1000, 10000, 30000, 65534, 65535, 65536, 70000]) {
  try {
    f(...new Array(n));
    f.apply(null, new Array(n));
    new Array(...new Array(n));
    String.fromCharCode(...new Array(n).fill(65));
  } catch (e) {
    if (!(e instanceof RangeError || e instanceof InternalError)) throw e;
  }
}
f.bind(null, ...args.slice(0, 1000))(...args.slice(0, 1000));
