// One that is larger than any memory, asked for again and again.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
for (;;) {
  try {
    new Float64Array(2 ** 28);
  } catch {}
}
