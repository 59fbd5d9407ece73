// A generator that always has one more.
// expect: 504 EXTENSION_TIMEOUT
function* g() {
  for (;;) yield 1;
}
for (const x of g()) {
}
