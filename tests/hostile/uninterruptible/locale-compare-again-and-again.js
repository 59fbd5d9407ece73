// Two long texts that are equal to the last character.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const s = 'x'.repeat(1 << 18);
const t = `${s}y`,
  u = `${s}z`;
for (;;) t.localeCompare(u);
