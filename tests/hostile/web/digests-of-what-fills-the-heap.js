// Each digest is one call of native code.
// expect: 504 EXTENSION_TIMEOUT
const data = new Uint8Array(5 << 20);
for (;;) await crypto.subtle.digest('SHA-512', data);
