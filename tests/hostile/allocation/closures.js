// Functions that each keep a frame.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (let i = 0; ; i++) {
  const big = [i, i, i, i];
  all.push(() => big);
}
