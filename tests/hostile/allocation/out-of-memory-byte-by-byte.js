// The last room is used up in ever smaller steps.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (let size = 1 << 20; ;) {
  try {
    all.push(new Uint8Array(size));
  } catch {
    size = Math.max(1, size >> 1);
  }
}
