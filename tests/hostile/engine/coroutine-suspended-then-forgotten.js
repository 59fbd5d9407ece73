// Suspended frames that only garbage points to, collected while others are made.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 201
for (let i = 0; i < 20000; i++) {
  (async () => {
    const o = { i };
    o.self = o;
    await new Promise(() => {});
    return o;
  })();
  if (i % 500 === 0) await null;
}
