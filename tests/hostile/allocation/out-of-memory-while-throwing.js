// No room is left for the error.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 400 EXTENSION_ERROR | 500 EXTENSION_FAILED
const all = [];
try {
  for (;;) all.push({});
} catch {
  throw new Error('x'.repeat(1e6), { cause: all });
}
