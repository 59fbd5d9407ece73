// Everything that code can patch is patched to catch the bytes of a key that may not be exported.
const secret = '5ec2e75ec2e75ec2e75ec2e75ec2e700';
const { subtle } = crypto;
const hex = (b) => { let out = ''; for (let i = 0; i < b.length; i++) out += (b[i] < 16 ? '0' : '') + b[i].toString(16); return out; };
const start = new Uint8Array(16); for (let i = 0; i < 16; i++) start[i] = parseInt(secret.slice(2 * i, 2 * i + 2), 16);
const algorithms = ['AES-GCM', 'AES-CBC', 'AES-CTR', 'HKDF', 'PBKDF2'];
const k64 = 'XsLnXsLnXsLnXsLnXsLnAA';
const wrapping = await subtle.generateKey({ name: 'AES-GCM', length: 128 }, false, ['encrypt', 'unwrapKey']); const iv = new Uint8Array(12);
const wrapped = await subtle.encrypt({ name: 'AES-GCM', iv }, wrapping, new TextEncoder().encode(JSON.stringify({ kty: 'oct', k: k64 })));
const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf } = Object; const { apply, ownKeys } = Reflect; const { isView } = ArrayBuffer; const U8 = Uint8Array; const { stringify } = JSON;
const caught = []; let armed = true; let watching = false;
const look = (value) => {
  if (!armed || watching) return; watching = true;
  try {
    if (typeof value === 'string') { if (value === k64 || value === secret) caught[caught.length] = 'text'; }
    else if (typeof value === 'object' && value !== null) {
      let all; try { all = isView(value) ? new U8(value.buffer) : value instanceof ArrayBuffer ? new U8(value) : undefined; } catch { }
      if (all !== undefined) { const text = hex(all); if (text.includes(secret)) caught[caught.length] = 'bytes'; }
      else { const own = getOwnPropertyDescriptor(value, 'k'); if (own !== undefined && own.value === k64) caught[caught.length] = 'jwk'; }
    }
  } finally { watching = false; }
};
const spy = (object, key) => {
  const before = getOwnPropertyDescriptor(object, key);
  if (before === undefined || !before.configurable) return;
  const wrap = (f) => function (...args) { look(this); for (let i = 0; i < args.length; i++) look(args[i]); const out = new.target ? Reflect.construct(f, args, new.target) : apply(f, this, args); look(out); return out; };
  if (typeof before.value === 'function' && key !== 'constructor') defineProperty(object, key, { ...before, value: wrap(before.value) });
  else if (before.get) defineProperty(object, key, { ...before, get: wrap(before.get) });
};
const targets = [Array.prototype, String.prototype, getPrototypeOf(Uint8Array.prototype), ArrayBuffer.prototype, Map.prototype, Promise.prototype, CryptoKey.prototype, Crypto.prototype, SubtleCrypto.prototype, TextDecoder.prototype, TextEncoder.prototype, JSON, Object, Reflect, Promise, ArrayBuffer];
const names = []; for (let i = 0; i < targets.length; i++) names[i] = getOwnPropertyNames(targets[i]);
for (let i = 0; i < targets.length; i++) for (let n = 0; n < names[i].length; n++) spy(targets[i], names[i][n]);
for (const name of ['then', 'toJSON', 'k', 'kty', 'd', 'x', 'use', 'oth', 'data', 'name', 'hash', 'length', 'inner', 'extractable', 'type', 'algorithm', 'usages', '0']) {
  const held = new WeakMap();
  defineProperty(Object.prototype, name, { configurable: true, get() { look(this); return undefined; }, set(value) { look(this); look(value); defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true }); } });
}
const found = []; const wanted = [];
const attempt = async (what, f) => { try { await f(); found[found.length] = what; } catch { } };
armed = false; const given = start.slice(); armed = true;
for (const name of algorithms) {
  armed = false; const bytes = U8.from(start); armed = false;
  const usages = name === 'HKDF' || name === 'PBKDF2' ? ['deriveBits', 'deriveKey'] : ['encrypt', 'decrypt', 'wrapKey'];
  const key = await subtle.importKey('raw', bytes, name, false, usages);
  bytes.fill(0); armed = true;
  defineProperty(key, 'extractable', { value: true }); defineProperty(key, 'usages', { value: ['encrypt', 'decrypt', 'exportKey'] });
  key.algorithm.name = 'HMAC';
  await attempt(name + ' raw', () => subtle.exportKey('raw', key)); await attempt(name + ' jwk', () => subtle.exportKey('jwk', key));
  await attempt(name + ' wrapped', () => subtle.wrapKey('raw', key, key, { name: 'AES-GCM', iv }));
  await attempt(name + ' by a proxy', () => subtle.exportKey('raw', new Proxy(key, { get: (t, p) => (p === 'extractable' ? true : t[p]) })));
  await attempt(name + ' by a subclass', () => subtle.exportKey('raw', Object.create(key, { extractable: { value: true } })));
  await attempt(name + ' constructed', () => subtle.exportKey('raw', new CryptoKey({}, { type: 'secret', extractable: true, algorithm: { name: 'AES-GCM' }, usages: {}, data: start })));
  await attempt(name + ' cloned', () => subtle.exportKey('raw', structuredClone(key)));
  const params = { __proto__: null, name, iv: name === 'AES-GCM' ? iv : new U8(16), counter: new U8(16), length: 64, hash: 'SHA-256', salt: iv, info: iv, iterations: 2 };
  try { if (name === 'HKDF' || name === 'PBKDF2') { await subtle.deriveBits(params, key, 128); await subtle.deriveKey(params, key, { name: 'AES-GCM', length: 128 }, false, ['encrypt']); } else await subtle.encrypt(params, key, iv); wanted[wanted.length] = name; } catch (error) { wanted[wanted.length] = name + ': ' + error.message; }
  look(JSON.stringify(key)); for (const own of ownKeys(key)) look(key[own]);
}
const unwrapped = await subtle.unwrapKey('jwk', wrapped, wrapping, { name: 'AES-GCM', iv }, 'AES-GCM', false, ['encrypt']);
await attempt('unwrapped', () => subtle.exportKey('raw', unwrapped));
armed = false;
return stringify([caught, found, wanted]);
