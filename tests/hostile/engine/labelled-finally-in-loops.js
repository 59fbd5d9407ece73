// break, continue and return out of finally, through labels and generators.
// expect: 201
// timeout: 2000
const g = (function* () {
  a: for (let i = 0; i < 50; i++) {
    b: try {
      if (i % 3) continue a;
      yield i;
    } finally {
      if (i % 2) break b;
      for (const x of [1, 2]) {
        try {
          continue a;
        } finally {
          if (i > 40) break a;
        }
      }
    }
  }
})();
for (const x of g) {
}
const f = () => {
  for (const x of {
    [Symbol.iterator]: () => ({
      next: () => ({ done: false }),
      return() {
        throw 1;
      },
    }),
  }) {
    try {
      return 1;
    } finally {
      return 2;
    }
  }
};
try {
  f();
} catch {}
