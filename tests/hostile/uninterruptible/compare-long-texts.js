// An operator that walks megabytes.
// expect: 504 EXTENSION_TIMEOUT
const s = 'x'.repeat(3 << 20);
const t = `${s}y`,
  u = `${s}z`;
for (let n = 0; ;) if (t < u) n++;
