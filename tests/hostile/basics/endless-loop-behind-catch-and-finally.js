// A loop without an end whose catch and finally go on with it.
// expect: 504 EXTENSION_TIMEOUT
for (;;) {
  try {
    while (true) {}
  } catch {
  } finally {
    continue;
  }
}
