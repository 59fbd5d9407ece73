// The getter of an async disposer that changes the stack.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
if (typeof AsyncDisposableStack === 'function') {
  const stack = new AsyncDisposableStack();
  try {
    stack.use({
      get [Symbol.asyncDispose]() {
        stack.disposeAsync();
        return () => {};
      },
    });
  } catch {}
  try {
    AsyncDisposableStack.prototype.disposeAsync.call({}).catch(() => {});
  } catch {}
  try {
    AsyncDisposableStack.prototype.move.call(new DisposableStack());
  } catch {}
  await stack.disposeAsync();
}
