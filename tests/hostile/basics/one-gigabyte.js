// Typed arrays, kept.
// expect: 500 EXTENSION_OUT_OF_MEMORY
// timeout: 2000
const all = [];
for (let i = 0; i < 1024; i++) all.push(new Uint8Array(1 << 20).fill(i));
return { title: String(all.length) };
