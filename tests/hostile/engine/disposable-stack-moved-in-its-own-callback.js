// A stack that is moved out of while one of its callbacks runs.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
if (typeof DisposableStack === 'function') {
  let other;
  const stack = new DisposableStack();
  stack.adopt({}, () => {
    try {
      other = stack.move();
    } catch {}
  });
  stack.adopt([], () => {
    try {
      other?.dispose();
    } catch {}
    stack.dispose();
  });
  stack.dispose();
}
