// Raw texts of a tag.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
const tag = (strings) => strings.raw.join('x'.repeat(100000));
for (let i = 0; ; i++) all.push(tag`a${i}b${i}` + i);
