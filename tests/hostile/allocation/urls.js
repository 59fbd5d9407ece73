// Addresses with long parts.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
for (let i = 0; ; i++) all.push(new URL(`https://example.com/${i}?${'q'.repeat(10000)}#${'h'.repeat(10000)}`));
