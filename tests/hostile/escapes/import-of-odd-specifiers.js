// Specifiers whose conversion runs code, or that are no texts.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
for (const name of [
  {
    toString() {
      throw 1;
    },
  },
  Symbol('x'),
  null,
  undefined,
  5,
  {},
  'x'.repeat(1 << 20),
  '\ud800',
]) {
  try {
    await import(name);
  } catch {
    continue;
  }
  throw new Error('reached: a module');
}
