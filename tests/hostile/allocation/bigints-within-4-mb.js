// Numbers of a million bits, under another limit.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
// memory: 4
const all = [];
for (let i = 0n; ; i++) all.push((1n << 1000000n) + i);
