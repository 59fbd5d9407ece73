// quickjs-ng d0c2272: a DisposableStack that grows while it is taken down.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
if (typeof DisposableStack === 'function') {
  const stack = new DisposableStack();
  for (let i = 0; i < 100; i++)
    stack.defer(() => {
      try {
        stack.defer(() => {});
      } catch {}
      try {
        stack.use({
          [Symbol.dispose]() {
            stack.dispose();
          },
        });
      } catch {}
      try {
        stack.move();
      } catch {}
    });
  try {
    stack.dispose();
  } catch {}
}
