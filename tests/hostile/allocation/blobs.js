// Blobs of blobs.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let b = new Blob(['x'.repeat(1000)]);
for (;;) b = new Blob([b, b]);
