// Symbols of the language with getters that throw or loop back.
// expect: 201
// timeout: 2000
const odd = {
  get [Symbol.hasInstance]() {
    return odd;
  },
  get [Symbol.isConcatSpreadable]() {
    throw 1;
  },
  get [Symbol.toStringTag]() {
    return odd;
  },
  get [Symbol.species]() {
    return odd;
  },
  get [Symbol.match]() {
    return true;
  },
};
for (const f of [
  () => ({}) instanceof odd,
  () => [].concat(odd),
  () => Object.prototype.toString.call(odd),
  () => 'x'.startsWith(odd),
  () => new Promise(odd),
  () => Array.from.call(odd, []),
]) {
  try {
    f();
  } catch {}
}
