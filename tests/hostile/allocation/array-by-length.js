// Elements far apart.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (let i = 0; ; i++) {
  const a = [];
  a[i * 100] = a;
  a.length = 4e9;
  a[4e9 - i - 1] = a;
  all.push(a);
}
