// A long address taken apart on the host's side of the glue.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const s = `https://example.com/${'a/../'.repeat(50000)}`;
for (;;) new URL(s);
