// The end of the stack, caught ten thousand times at full depth.
// expect: 201 | 504 EXTENSION_TIMEOUT
const f = (n) => {
  try {
    return f(n + 1);
  } catch {
    for (let i = 0; i < 3; i++) {
      try {
        f(0);
      } catch {}
    }
    return n;
  }
};
f(0);
