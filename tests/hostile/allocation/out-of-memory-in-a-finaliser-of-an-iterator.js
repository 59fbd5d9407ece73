// The refusal closes an iterator whose return allocates.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const it = {
  [Symbol.iterator]: () => ({
    next: () => ({ done: false, value: 1 }),
    return() {
      const all = [];
      for (;;) all.push({});
    },
  }),
};
for (;;) {
  try {
    new Set(it);
  } catch {}
  try {
    for (const x of it) throw 1;
  } catch {}
}
