// Keys of the largest size, for ever.
// expect: 504 EXTENSION_TIMEOUT
const kind = { name: 'RSA-PSS', modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
for (;;) await crypto.subtle.generateKey(kind, true, ['sign']);
