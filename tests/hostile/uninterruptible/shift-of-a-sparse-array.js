// Moving four thousand million holes down by one.
// expect: 504 EXTENSION_TIMEOUT
const a = [3];
a[4e9] = 1;
for (;;) {
  a.shift();
  a.length = 4e9;
}
