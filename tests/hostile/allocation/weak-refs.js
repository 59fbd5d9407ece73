// References that are weak to things that are held.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (;;) {
  const o = {};
  all.push(o, new WeakRef(o));
}
