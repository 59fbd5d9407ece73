// The last reference to a stack goes in its own callback.
// expect: 201 | 500 EXTENSION_FAILED | 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
if (typeof DisposableStack === 'function') {
  const box = {};
  for (let n = 0; n < 2000; n++) {
    box.stack = new DisposableStack();
    box.stack.defer(() => {
      box.stack = null;
      const fill = new Array(100).fill({});
      fill.length = 0;
    });
    box.stack.defer(() => {
      throw new Array(10);
    });
    try {
      box.stack.dispose();
    } catch {}
  }
}
