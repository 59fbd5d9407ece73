// Each mode, again and again.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const data = new Uint8Array(3 << 20);
const keys = {};
for (const name of ['AES-GCM', 'AES-CBC', 'AES-CTR']) keys[name] = await crypto.subtle.importKey('raw', new Uint8Array(32), name, false, ['encrypt']);
for (;;) for (const name in keys) await crypto.subtle.encrypt({ name, iv: new Uint8Array(name === 'AES-GCM' ? 12 : 16), counter: new Uint8Array(16), length: 64 }, keys[name], data);
