// Text of many bytes, kept.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const all = [];
const bytes = new Uint8Array(500000).fill(200);
for (;;) all.push(new TextDecoder().decode(bytes));
