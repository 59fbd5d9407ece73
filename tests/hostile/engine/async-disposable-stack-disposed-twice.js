// quickjs-ng 05b2db9: an AsyncDisposableStack that is disposed while it waits.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
if (typeof AsyncDisposableStack === 'function') {
  const stack = new AsyncDisposableStack();
  for (let i = 0; i < 50; i++)
    stack.defer(async () => {
      await null;
      stack.disposeAsync().catch(() => {});
      try {
        stack.move();
      } catch {}
    });
  await Promise.allSettled([stack.disposeAsync(), stack.disposeAsync()]);
}
