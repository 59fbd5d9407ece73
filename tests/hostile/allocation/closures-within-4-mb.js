// Functions that each keep a frame, under another limit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
// memory: 4
const all = [];
for (let i = 0; ; i++) {
  const big = [i, i, i, i];
  all.push(() => big);
}
