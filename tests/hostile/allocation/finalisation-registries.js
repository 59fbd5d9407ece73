// Registries with a million entries.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
const r = new FinalizationRegistry(() => {});
for (;;) {
  const o = {};
  all.push(o);
  r.register(o, 'x'.repeat(100), o);
}
