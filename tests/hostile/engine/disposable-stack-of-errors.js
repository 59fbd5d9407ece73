// Each callback throws: a chain of suppressed errors a thousand deep.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
if (typeof DisposableStack === 'function') {
  const stack = new DisposableStack();
  for (let i = 0; i < 1000; i++)
    stack.defer(() => {
      throw i;
    });
  try {
    stack.dispose();
  } catch (e) {
    for (let depth = 0; depth < 1000 && e?.suppressed !== undefined; depth++) e = e.suppressed;
  }
}
