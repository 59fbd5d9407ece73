// Names that are cached by nobody.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
// memory: 64
// timeout: 1000
for (let i = 0; i < 20; i++) {
  try {
    await (await services.items('n'.repeat(1 << 20) + i)).readByQuery({});
  } catch {}
}
