// A delegate that changes its methods in the middle.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const inner = {
  [Symbol.iterator]() {
    return this;
  },
  next: () => ({ done: false }),
  get return() {
    delete inner.next;
    return () => ({ done: false });
  },
  get throw() {
    return undefined;
  },
};
const g = (function* () {
  try {
    yield* inner;
  } finally {
    yield 1;
  }
})();
g.next();
try {
  g.return(5);
} catch {}
try {
  g.throw(6);
} catch {}
try {
  g.next();
} catch {}
