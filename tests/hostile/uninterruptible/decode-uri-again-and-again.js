// The way back.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const s = '%E2%82%AC'.repeat(1 << 17);
for (;;) decodeURIComponent(s);
