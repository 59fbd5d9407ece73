// Nothing points to the stack any more when its first callback answers.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
if (typeof AsyncDisposableStack === 'function') {
  for (let i = 0; i < 2000; i++) {
    let s = new AsyncDisposableStack();
    s.defer(() => new Promise((r) => queueMicrotask(r)));
    s.defer(() => {
      s = null;
    });
    s.disposeAsync().catch(() => {});
  }
  await new Promise((r) => setTimeout(r, 5));
}
