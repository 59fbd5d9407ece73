// Text and values of a hundred thousand levels.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
let seen = 0;
for (const f of [
  () => JSON.parse('['.repeat(1e5)),
  () => JSON.parse('{"a":'.repeat(1e5)),
  () => {
    let a = [];
    for (let i = 0; i < 1e5; i++) a = [a];
    return JSON.stringify(a);
  },
]) {
  try {
    f();
  } catch (e) {
    seen++;
    if (!(e instanceof Error)) throw new Error('reached: something else was thrown');
  }
}
