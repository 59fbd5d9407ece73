// Texts of two bytes for each character.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const all = [];
for (let i = 0; ; i++) all.push('\u20ac'.repeat(50000) + i);
