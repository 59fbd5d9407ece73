// Every way to sign, as fast as they come.
// expect: 504 EXTENSION_TIMEOUT
const data = new Uint8Array(1024);
const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign', 'verify']);
const other = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
for (;;) await Promise.all([crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-384' }, pair.privateKey, data), crypto.subtle.sign('Ed25519', other.privateKey, data)]);
