// Targets, held values and tokens that are the registry and one another.
// expect: 201
// timeout: 2000
for (let n = 0; n < 500; n++) {
  const r = new FinalizationRegistry(() => {});
  const o = { r };
  try {
    r.register(r, o, r);
  } catch {}
  try {
    r.register(o, r, o);
    r.unregister(o);
    r.unregister(o);
  } catch {}
}
