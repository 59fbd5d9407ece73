// Frames that are suspended for ever.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
function* g() {
  const a = new Array(20).fill(0);
  yield a;
}
for (;;) {
  const it = g();
  it.next();
  all.push(it);
}
