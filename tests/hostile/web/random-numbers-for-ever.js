// Each call is a system call.
// expect: 504 EXTENSION_TIMEOUT
const data = new Uint8Array(65536);
for (;;) crypto.getRandomValues(data);
