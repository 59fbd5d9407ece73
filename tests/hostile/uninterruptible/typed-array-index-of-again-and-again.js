// A search through megabytes for what is not there.
// expect: 504 EXTENSION_TIMEOUT
const a = new Uint8Array(8 << 20);
for (;;) a.indexOf(1);
