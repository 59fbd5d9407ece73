// Slices that keep their text alive.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (let i = 0; ; i++) all.push(('x'.repeat(1 << 20) + i).slice(5));
