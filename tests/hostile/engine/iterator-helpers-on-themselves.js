// Helpers whose source is the helper.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
const source = { next: () => ({ done: false, value: helper }), __proto__: Iterator.prototype };
let helper = source
  .map((x) => x)
  .filter(() => true)
  .take(100)
  .drop(1);
for (const x of helper) {
  try {
    helper.next();
    helper.return();
  } catch {}
}
