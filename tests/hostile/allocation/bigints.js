// Numbers of a million bits.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (let i = 0n; ; i++) all.push((1n << 1000000n) + i);
