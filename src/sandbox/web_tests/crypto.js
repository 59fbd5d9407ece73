// Keys, signatures and secrets that Node.js 20 (OpenSSL 3) made, to be understood here.
const made = {
  pkcs8: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCmjTVePoTRChh6n7b1uMNaKfcPAY98hNrodAgErf1N/VNqXmxh/XpzTymco/JeEjcuoC4nW6c8Jma6Fe'
    + 'emFhpB8Dm7+kCkHn3GqObK2QJM6aHWHEqI7QL8caMvUVg7pFCJtLHMGwxLvwvytm7wabPa7BjG+V4pYOXkAQhdux2eCQSLkcoiqja/oSWVqpW0tqu4aYs6HfEncyH+SG8s'
    + '0Ve+tnvt8xtVzm0xVdyBX4sIGAXnsx+WmTI2yIlLw4RSm6KHaqbazIxoteGXu/vPJ2NleSXA+EdY7SLhasH2vlXU4o+3x5aGsOY7QHgsJ8zlShq7SbHib7/w9qg1Bip44x'
    + 'TnAgMBAAECggEATKGoLobBgZUNkk4uVnz+lVu9qw/ivz45or7Qeaa8Z8fpO4XahHOmhaukz8e3WoUzEqbs1XscRVa96VzuysJcrn4jclRArcLByEgqeKbEojLVHbjCqqGy'
    + 'wAhhNwJMgJSn4dRcAjdnvupWSwSZotBfypjbBaHzK0LEQ9YdzVKs2+s34VuUzoFF3vT6JGYi9FkvIwWmVJpit6S+fV1Sha22nm6WqAyWPeyEz+kUnIqg8V2HlK4QRDmhYg'
    + 'PkF1olu7wmZyVE/y7A3MLCbFDMwFP1PtACC0BFWzbCadLuSFzV+zuD1kPfyqfnjk1VsXZqDbogh8O4rmPE5S2smHfXyMEC8QKBgQDb7mFWOvt0O4xmYjorMuSAxYiP+Ong'
    + 'JBrH/tdaBXMdaSpnx9TYYkMOF9XvJxaIBiSrqayS0Wb4922wltz3l9Xgf9TSEzCCNoB13IZvNERwrMJvdT+jCuY4b37KEuVsJ+AtYr4x2X8T3V4CZ4rg3SxfiV2ZISnQYF'
    + 'O3eroXARicQwKBgQDB3buh4oDTuzB3D3CxddlnyNkOumFJ5OfLFJUy8b6rPyQWRBOUNf7pKASicTsge+1m0oOuSQ9VhXgrUYAjGeAtRzXT7UoHR59/rE7J6I/NmQlLCuQN'
    + 'og6/G71GFi6a/gF9+gdsVG2n3YMRt888g2t2EoZnFJrSifnGg/WDK8isjQKBgFMe4BjYB+shCmozm6px/JySi49mUvYMjzahIUD7qEsoUQeSJeZ2FMPBzHArhL96GufqI7'
    + 'gFfnaABSvliLPm5cWIaqXO7Nl5wclJxGFJDsjK8l1vodJ8LxCLSw8SXzUmSPq+RAXRHs8iLgKYoYtk6/1bjE1wlD4V+e3xa12AY43DAoGAXWNEyZzk1hnsJM5pSPMuQVJ9'
    + 'TRz3VLNR/X/yx1Gwual25srwa4r/Oq2uXdoR03ofSFLMYB6NpnLfCm7+POpwFR+ijG5YJN2ZtdT5N0YyT6YS1fVvGiog1Gq2aJay6LLHYToabVLWZ/DK/LQAvnPIRl5yJC'
    + 'HG2vjgO4LBt+hViNkCgYEAmvFF/2YenDfYH2wUqnUs+EdpNvLFT1E3nLevoNqm9QddOgyzqbPt7sCjEoe7cU/L6XhbS3xCS28By8oGDCd2A4J4GYx1THGOzTTKn3cu4OBf'
    + 'SKHV/02g/tfBepDNXkLes1/ac17qKxdbyLBZTPRfrKMcqdJOLKbbpYPe3zBKva0=',
  spki: 'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApo01Xj6E0QoYep+29bjDWin3DwGPfITa6HQIBK39Tf1Tal5sYf16c08pnKPyXhI3LqAuJ1unPCZmuhXnphYaQf'
    + 'A5u/pApB59xqjmytkCTOmh1hxKiO0C/HGjL1FYO6RQibSxzBsMS78L8rZu8Gmz2uwYxvleKWDl5AEIXbsdngkEi5HKIqo2v6EllaqVtLaruGmLOh3xJ3Mh/khvLNFXvrZ7'
    + '7fMbVc5tMVXcgV+LCBgF57MflpkyNsiJS8OEUpuih2qm2syMaLXhl7v7zydjZXklwPhHWO0i4WrB9r5V1OKPt8eWhrDmO0B4LCfM5Uoau0mx4m+/8PaoNQYqeOMU5wIDAQ'
    + 'AB',
  sig: '62e5f79051457ac6079f2b100384d88c83593ab56db5673cd33cf8bdf129c1a545425f1098408a5cd6c8658879dccdb8e3777fcebc042c4b71be3a8635576b7f61'
    + 'cf6a73ed6e2bfb432c1f4754a7ba18bb90e8a7cdd81bb4a87ae77843e5ad539340564a8ed78b226970b125ac2440da17f7d9282dd38836beebc67457528841aa7e'
    + '395ca6c629859c4bbb67c7a5d85dee18fe3b6862edcf4cf0e81cf86dbf3da96ebe73c904c2fb22b3fa561b40804be2ebaecb132a0a007ea81d7f2cbb04249a9dd9'
    + '59e9d79318c2f16d18403479f7736356105dd160b4f3b6f00c8833cba3825d9b586992d8c9cc8a80fd5e6328b3792e92e7777586b91f7ddb8befce8e82',
  psig: '55fdabbbbcce7360a4c2939e87c219689e844c85fc38a68b99b0d0bf526b168c1c1816957e3f15bfb9ea69a5de680e029bc9ec0b0ed80738c0bce1cde52c923bff'
    + '7523a6478063a44145db5b02f3d6d32b966182f0d4479aabc58286d8290f30be826f45794de2273a08c85fc87b080dc6f6e9305d8bee2dc9e020c9b48640300256'
    + 'edcd694f7fe5e9d0121dc392604bd84a7309a902709e658c643adbc1de1b53c8befef4c19026fa77d585e26b3f4ac5f1627759e4da40e8c0dd63f3f23f58c8e850'
    + 'd591d2f71da051e1b0b15d9e46efc98912dea0fb151c896035ba6a5f0289761aa29b2938ff88a609f26a047ab30e158234f5432adea221ebb5f2a3150b',
  enc: '7fe34ee0dbad4934486a96f4d351441419e537e8bd9777fe90bed1cf59b4a993f2f15b0782cfce55adeedba00a6322c169fc07de9010f10ccb53b96488678569d1'
    + 'c5972cbbd52e4578fdbc29ac07753f26bec90da63d5f63f3203a8be337349b682bed4a6c96bf83a5d27dcbd2f69181560dc1cb93aa45ae62eead121bb56a3ad682'
    + '2771415b86c41a5f9db6fc0e40816c0b646d847996ae5160ddcde118151d9f90acfba05d1cf5ed3a98d2175cba277efc7c3ff825dd7d23185bc725db066e5a3dd0'
    + '0a8244a353e863da0998ca2a8b2ad4f7add64d262c856959be615b4fd1eb6628247026facf50520499b33c720dbe80d786d49452dfcaf192893dadafb4',
  n: 'po01Xj6E0QoYep-29bjDWin3DwGPfITa6HQIBK39Tf1Tal5sYf16c08pnKPyXhI3LqAuJ1unPCZmuhXnphYaQfA5u_pApB59xqjmytkCTOmh1hxKiO0C_HGjL1FYO6RQib'
    + 'SxzBsMS78L8rZu8Gmz2uwYxvleKWDl5AEIXbsdngkEi5HKIqo2v6EllaqVtLaruGmLOh3xJ3Mh_khvLNFXvrZ77fMbVc5tMVXcgV-LCBgF57MflpkyNsiJS8OEUpuih2qm'
    + '2syMaLXhl7v7zydjZXklwPhHWO0i4WrB9r5V1OKPt8eWhrDmO0B4LCfM5Uoau0mx4m-_8PaoNQYqeOMU5w',
  xPrivate: 'MC4CAQAwBQYDK2VuBCIEIOiVMYXv/dRdr6Lu5aqZXI+kOK8PZ0UUuzm5RujyRqlC',
  xPublic: 'AIF9cxvM3Covqg/kt6ADzXVMT9T0Y55ehVme8EJgzkg=',
  shared: '417dff6abdad9ff8c2a9637dbe8a864abffb60bde48ba9fc1df26ac00fbf8722',
  ePrivate: 'MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCcdm2ndR52CSYPFiEiSImiL7qAmjmQ7g5fhlvd52KtbproU++CHc08T7ygNOUspUKhZANiAATkxx8a9/9sMm'
    + 'EoqAAOp8p+vfluWS3SltWyG/hvz8bjdW5FDDTQzgR/aiw56SQ0S0LUNXk+wnsEV9Oj3ayst+z3NZRJjLqOWaaM6vZlYsYjIdPwrPbVmWg/wr2oKSUV9uw=',
  ePublic: 'MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEWN6k2eKX6TcDKBY/J7ZOuPUcxt1s6cZKgl0wV7xvLBVZKvdpaZBsprfOGm4N/zfFA/+JmHA7/bWOlmhHFxriOOWP7kryftzQeO'
    + 'F1OC68JTh6Xl0kD2S5o4b4baj15DCR',
  eshared: '1125738c247b92a99dc91fe4cc37ffcd21e7c9fecad4036a3f8ca382b06bd454005f4fe2f2b1c79d3627777fbe7be269',
};

const { subtle } = crypto;
const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, '0')).join('');
const unhex = (t) => new Uint8Array((t.match(/../g) ?? []).map((x) => parseInt(x, 16)));
const base64 = (t) => Uint8Array.from(atob(t), (c) => c.charCodeAt(0));
const url = (t) => btoa(String.fromCharCode(...unhex(t))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const refused = async (promise, name, text = '') => {
  const error = await rejects(promise, DOMException, text);
  eq(error.name, name, error.message);
};
const raw = (bytes, algorithm, usages, extractable = false) => subtle.importKey('raw', bytes, algorithm, extractable, usages);

await check('random numbers', () => {
  const a = crypto.getRandomValues(new Uint32Array(8)); const b = crypto.getRandomValues(new Uint32Array(8));
  ok(hex(a.buffer) !== hex(b.buffer), 'twice the same'); ok(a instanceof Uint32Array, 'what was given');
  const part = new Uint8Array(8); crypto.getRandomValues(part.subarray(2, 4)); eq([...part].filter((x, i) => x !== 0 && (i < 2 || i > 3)), []);
  crypto.getRandomValues(new BigInt64Array(2)); crypto.getRandomValues(new Uint8Array(65536)); eq(crypto.getRandomValues(new Uint8Array(0)).length, 0);
  eq(throws(() => crypto.getRandomValues(new Uint8Array(65537)), DOMException).name, 'QuotaExceededError');
  for (const wrong of [new Float64Array(1), new DataView(new ArrayBuffer(1))]) eq(throws(() => crypto.getRandomValues(wrong), DOMException).name, 'TypeMismatchError');
  const id = crypto.randomUUID(); ok(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id), id); ok(id !== crypto.randomUUID(), 'ids differ');
});
await check('digests', async () => {
  // FIPS 180-4, the message "abc".
  const known = {
    'SHA-1': 'a9993e364706816aba3e25717850c26c9cd0d89d', 'SHA-256': 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    'SHA-384': 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
    'SHA-512': 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  };
  for (const name in known) { eq(hex(await subtle.digest(name.toLowerCase(), bytes('abc'))), known[name], name); eq(hex(await subtle.digest({ name }, bytes('xabcx').subarray(1, 4))), known[name]); }
  eq(hex(await subtle.digest('SHA-256', new Uint8Array(200000).buffer)), hex(await subtle.digest('SHA-256', new Uint8Array(200000))));
  ok(await subtle.digest('SHA-1', new ArrayBuffer(0)) instanceof ArrayBuffer, 'an ArrayBuffer');
  await refused(subtle.digest('MD5', bytes('')), 'NotSupportedError'); await rejects(subtle.digest('SHA-1', 'text'), TypeError); await rejects(subtle.digest({}, bytes('')), TypeError);
});
await check('HMAC', async () => {
  // RFC 4231, cases 1, 2, 6 and 7; RFC 2202, case 2.
  const cases = [
    ['SHA-256', '0b'.repeat(20), '4869205468657265', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    ['SHA-256', '4a656665', hex(bytes('what do ya want for nothing?')), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
    ['SHA-384', '4a656665', hex(bytes('what do ya want for nothing?')), 'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649'],
    ['SHA-512', 'aa'.repeat(131), hex(bytes('Test Using Larger Than Block-Size Key - Hash Key First')), '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598'],
    ['SHA-256', 'aa'.repeat(131), hex(bytes('This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.')), '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2'],
    ['SHA-1', '4a656665', hex(bytes('what do ya want for nothing?')), 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
  ];
  for (const [hash, key, data, mac] of cases) {
    const k = await raw(unhex(key), { name: 'hmac', hash }, ['sign', 'verify']);
    eq(hex(await subtle.sign('HMAC', k, unhex(data))), mac); eq(await subtle.verify('HMAC', k, unhex(mac), unhex(data)), true);
    const off = unhex(mac); off[off.length - 1] ^= 1; eq(await subtle.verify('HMAC', k, off, unhex(data)), false);
    eq(await subtle.verify('HMAC', k, unhex(mac).subarray(1), unhex(data)), false); eq(await subtle.verify('HMAC', k, new Uint8Array(0), unhex(data)), false);
  }
  const k = await subtle.generateKey({ name: 'HMAC', hash: 'SHA-512' }, true, ['sign']);
  eq(k.algorithm, { name: 'HMAC', length: 1024, hash: { name: 'SHA-512' } }); eq((await subtle.exportKey('raw', k)).byteLength, 128);
  eq(await subtle.exportKey('jwk', await raw(unhex('00ff'), { name: 'HMAC', hash: 'SHA-256' }, ['verify', 'sign', 'sign'], true)), { kty: 'oct', k: 'AP8', alg: 'HS256', key_ops: ['sign', 'verify'], ext: true });
  const odd = await raw(unhex('ffff'), { name: 'HMAC', hash: 'SHA-1', length: 12 }, ['sign'], true); eq(hex(await subtle.exportKey('raw', odd)), 'fff0'); eq(odd.algorithm.length, 12);
  await refused(raw(unhex('ff'), { name: 'HMAC', hash: 'SHA-1', length: 16 }, ['sign']), 'DataError'); await refused(raw(new Uint8Array(0), { name: 'HMAC', hash: 'SHA-1' }, ['sign']), 'DataError');
});
await check('keys derived', async () => {
  // RFC 5869, cases 1 and 3.
  const ikm = await raw(unhex('0b'.repeat(22)), 'HKDF', ['deriveBits', 'deriveKey']);
  const params = { name: 'HKDF', hash: 'SHA-256', salt: unhex('000102030405060708090a0b0c'), info: unhex('f0f1f2f3f4f5f6f7f8f9') };
  eq(hex(await subtle.deriveBits(params, ikm, 336)), '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865');
  eq(hex(await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info: new Uint8Array(0) }, ikm, 336)), '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8');
  await refused(subtle.deriveBits(params, ikm, 255 * 256 + 8), 'OperationError'); await refused(subtle.deriveBits(params, ikm, 12), 'OperationError'); await refused(subtle.deriveBits(params, ikm, null), 'OperationError');
  const aes = await subtle.deriveKey(params, ikm, { name: 'AES-GCM', length: 256 }, true, ['encrypt']); eq(hex(await subtle.exportKey('raw', aes)), '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf');
  const mac = await subtle.deriveKey(params, ikm, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']); eq(mac.algorithm.length, 512);
  // RFC 6070 and RFC 7914, section 11.
  const password = await raw(bytes('password'), 'PBKDF2', ['deriveBits']);
  const pb = (key, hash, salt, iterations, bits) => subtle.deriveBits({ name: 'PBKDF2', hash, salt: bytes(salt), iterations }, key, bits);
  eq(hex(await pb(password, 'SHA-1', 'salt', 1, 160)), '0c60c80f961f0e71f3a9b524af6012062fe037a6'); eq(hex(await pb(password, 'SHA-1', 'salt', 4096, 160)), '4b007901b765489abead49d926f721d065a429c1');
  eq(hex(await pb(await raw(bytes('passwd'), 'PBKDF2', ['deriveBits']), 'SHA-256', 'salt', 1, 512)), '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783');
  await refused(pb(password, 'SHA-1', 'salt', 0, 160), 'OperationError'); await refused(raw(bytes('x'), 'PBKDF2', ['deriveBits'], true), 'SyntaxError');
  await refused(subtle.deriveKey(params, ikm, 'Ed25519', false, ['sign']), 'NotSupportedError');
});
await check('AES', async () => {
  // GCM: the specification's test cases 3 and 4, and 16.
  const text = 'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
  const key = await raw(unhex('feffe9928665731c6d6a8f9467308308'), 'AES-GCM', ['encrypt', 'decrypt']); const iv = unhex('cafebabefacedbaddecaf888');
  const sealed = '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4';
  eq(hex(await subtle.encrypt({ name: 'AES-GCM', iv }, key, unhex(text))), sealed); eq(hex(await subtle.decrypt({ name: 'AES-GCM', iv }, key, unhex(sealed))), text);
  const big = await raw(unhex('feffe9928665731c6d6a8f9467308308'.repeat(2)), 'AES-GCM', ['encrypt', 'decrypt']); const additionalData = unhex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
  const out = hex(await subtle.encrypt({ name: 'AES-GCM', iv, additionalData, tagLength: 96 }, big, unhex(text.slice(0, 120)))); eq(out.slice(-24), '76fc6ece0f4e1768cddf8853');
  eq(hex(await subtle.decrypt({ name: 'AES-GCM', iv, additionalData, tagLength: 96 }, big, unhex(out))), text.slice(0, 120));
  await refused(subtle.decrypt({ name: 'AES-GCM', iv, tagLength: 96 }, big, unhex(out)), 'OperationError');
  for (let at = 0; at < 80; at += 13) { const off = unhex(sealed); off[at] ^= 128; await refused(subtle.decrypt({ name: 'AES-GCM', iv }, key, off), 'OperationError'); }
  await refused(subtle.decrypt({ name: 'AES-GCM', iv }, key, new Uint8Array(15)), 'OperationError'); await refused(subtle.encrypt({ name: 'AES-GCM', iv, tagLength: 100 }, key, new Uint8Array(1)), 'OperationError');
  // CBC and CTR: SP 800-38A, F.2.1 and F.5.1.
  const plain = '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51'; const k = unhex('2b7e151628aed2a6abf7158809cf4f3c');
  const cbc = await raw(k, 'AES-CBC', ['encrypt', 'decrypt']); const start = unhex('000102030405060708090a0b0c0d0e0f');
  const chained = await subtle.encrypt({ name: 'AES-CBC', iv: start }, cbc, unhex(plain)); eq(hex(chained).slice(0, 64), '7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2'); eq(chained.byteLength, 48);
  eq(hex(await subtle.decrypt({ name: 'AES-CBC', iv: start }, cbc, chained)), plain);
  for (let n = 0; n < 34; n += 11) { const d = crypto.getRandomValues(new Uint8Array(n)); eq(hex(await subtle.decrypt({ name: 'AES-CBC', iv: start }, cbc, await subtle.encrypt({ name: 'AES-CBC', iv: start }, cbc, d))), hex(d)); }
  await refused(subtle.decrypt({ name: 'AES-CBC', iv: start }, cbc, chained.slice(1)), 'OperationError'); await refused(subtle.decrypt({ name: 'AES-CBC', iv: start }, cbc, chained.slice(0, 32)), 'OperationError'); await refused(subtle.encrypt({ name: 'AES-CBC', iv: k.subarray(1) }, cbc, k), 'OperationError');
  const ctr = await raw(k, 'AES-CTR', ['encrypt', 'decrypt']); const counter = unhex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
  for (const length of [64, 128, 9]) eq(hex(await subtle.encrypt({ name: 'AES-CTR', counter, length }, ctr, unhex(plain))), '874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff');
  // Where the counter is short it comes round, and what is before it stays.
  const zero = new Uint8Array(48); const round = hex(await subtle.encrypt({ name: 'AES-CTR', counter: unhex('00'.repeat(15) + '03'), length: 2 }, ctr, zero)); eq(round.slice(32, 64), hex(await subtle.encrypt({ name: 'AES-CTR', counter: new Uint8Array(16), length: 2 }, ctr, zero)).slice(0, 32));
  await refused(subtle.encrypt({ name: 'AES-CTR', counter, length: 1 }, ctr, zero), 'OperationError'); await refused(subtle.encrypt({ name: 'AES-CTR', counter, length: 0 }, ctr, zero), 'OperationError');
  // Wrapping: RFC 3394, 4.1.
  const kek = await raw(unhex('000102030405060708090a0b0c0d0e0f'), 'AES-KW', ['wrapKey', 'unwrapKey']); const wrapped = '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5';
  const inner = await raw(unhex('00112233445566778899aabbccddeeff'), 'AES-GCM', ['encrypt'], true);
  eq(hex(await subtle.wrapKey('raw', inner, kek, 'AES-KW')), wrapped);
  const back = await subtle.unwrapKey('raw', unhex(wrapped), kek, 'AES-KW', 'AES-GCM', true, ['encrypt']); eq(hex(await subtle.exportKey('raw', back)), '00112233445566778899aabbccddeeff');
  await refused(subtle.unwrapKey('raw', unhex(wrapped.replace('1fa6', '1fa7')), kek, 'AES-KW', 'AES-GCM', true, ['encrypt']), 'OperationError');
  eq(await subtle.exportKey('jwk', inner), { kty: 'oct', k: 'ABEiM0RVZneImaq7zN3u_w', alg: 'A128GCM', key_ops: ['encrypt'], ext: true });
  for (const length of [128, 256]) eq((await subtle.generateKey({ name: 'AES-GCM', length }, false, ['encrypt'])).algorithm, { name: 'AES-GCM', length });
  await refused(subtle.generateKey({ name: 'AES-GCM', length: 100 }, false, ['encrypt']), 'OperationError'); await refused(raw(new Uint8Array(15), 'AES-CBC', ['encrypt']), 'DataError');
});
await check('RSA', async () => {
  const data = bytes('trellis'); const hash = 'SHA-256'; const pkcs8 = base64(made.pkcs8); const spki = base64(made.spki);
  const name = 'RSASSA-PKCS1-v1_5';
  const key = await subtle.importKey('pkcs8', pkcs8, { name, hash }, true, ['sign']); const open = await subtle.importKey('spki', spki, { name, hash }, true, ['verify']);
  eq(hex(await subtle.sign(name, key, data)), made.sig); eq(await subtle.verify(name, open, unhex(made.sig), data), true);
  eq([key.type, open.type, key.algorithm.modulusLength, [...open.algorithm.publicExponent], open.algorithm.hash], ['private', 'public', 2048, [1, 0, 1], { name: hash }]);
  eq(await subtle.verify(name, open, unhex(made.sig), bytes('trellis!')), false); eq(await subtle.verify(name, open, unhex(made.sig).subarray(1), data), false);
  const jwk = await subtle.exportKey('jwk', key); eq([jwk.n, jwk.e, jwk.alg, jwk.kty], [made.n, 'AQAB', 'RS256', 'RSA']); eq(Object.keys(jwk).sort(), ['alg', 'd', 'dp', 'dq', 'e', 'ext', 'key_ops', 'kty', 'n', 'p', 'q', 'qi']);
  eq(hex(await subtle.sign(name, await subtle.importKey('jwk', jwk, { name, hash }, false, ['sign']), data)), made.sig);
  eq(hex(await subtle.exportKey('pkcs8', key)), hex(pkcs8)); eq(hex(await subtle.exportKey('spki', open)), hex(spki));
  const { n, e, kty } = jwk; const again = await subtle.importKey('jwk', { n, e, kty, use: 'sig', alg: 'RS256' }, { name, hash }, false, ['verify']); eq(await subtle.verify(name, again, unhex(made.sig), data), true);
  await refused(subtle.importKey('jwk', { ...jwk, d: jwk.p }, { name, hash }, false, ['sign']), 'DataError'); await refused(subtle.importKey('jwk', { ...jwk, alg: 'RS512' }, { name, hash }, false, ['sign']), 'DataError');
  await refused(subtle.importKey('spki', pkcs8, { name, hash }, false, ['verify']), 'DataError'); await refused(subtle.importKey('pkcs8', new Uint8Array([...pkcs8, 0]), { name, hash }, false, ['sign']), 'DataError');
  const pss = await subtle.importKey('spki', spki, { name: 'RSA-PSS', hash: 'SHA-512' }, false, ['verify']); eq(await subtle.verify({ name: 'RSA-PSS', saltLength: 64 }, pss, unhex(made.psig), data), true); eq(await subtle.verify({ name: 'RSA-PSS', saltLength: 32 }, pss, unhex(made.psig), data), false);
  const signer = await subtle.importKey('pkcs8', pkcs8, { name: 'RSA-PSS', hash: 'SHA-512' }, false, ['sign']);
  for (const saltLength of [0, 20, 64]) eq(await subtle.verify({ name: 'RSA-PSS', saltLength }, pss, await subtle.sign({ name: 'RSA-PSS', saltLength }, signer, data), data), true);
  await refused(subtle.sign({ name: 'RSA-PSS', saltLength: 200 }, signer, data), 'OperationError');
  const private_ = await subtle.importKey('pkcs8', pkcs8, { name: 'RSA-OAEP', hash }, false, ['decrypt', 'unwrapKey']); const label = bytes('label');
  eq(text(await subtle.decrypt({ name: 'RSA-OAEP', label }, private_, unhex(made.enc))), 'trellis'); await refused(subtle.decrypt('RSA-OAEP', private_, unhex(made.enc)), 'OperationError');
  const public_ = await subtle.importKey('spki', spki, { name: 'RSA-OAEP', hash }, false, ['encrypt', 'wrapKey']);
  eq(text(await subtle.decrypt('RSA-OAEP', private_, await subtle.encrypt('RSA-OAEP', public_, data))), 'trellis'); await refused(subtle.encrypt('RSA-OAEP', public_, new Uint8Array(191)), 'OperationError');
  const secret = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']); const box = await subtle.wrapKey('raw', secret, public_, 'RSA-OAEP');
  eq(hex(await subtle.exportKey('raw', await subtle.unwrapKey('raw', box, private_, 'RSA-OAEP', 'AES-GCM', true, ['encrypt']))), hex(await subtle.exportKey('raw', secret)));
});
await check('RSA keys made here', async () => {
  const pair = await subtle.generateKey({ name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-1' }, false, ['sign', 'verify']);
  eq(await subtle.verify('RSASSA-PKCS1-v1_5', pair.publicKey, await subtle.sign('RSASSA-PKCS1-v1_5', pair.privateKey, bytes('x')), bytes('x')), true);
  eq([pair.publicKey.extractable, pair.privateKey.extractable, pair.publicKey.usages, pair.privateKey.usages], [true, false, ['verify'], ['sign']]);
});
await check('curves', async () => {
  // RFC 6979, A.2.5 and A.2.6.
  const cases = [
    ['P-256', 'SHA-256', 'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721', '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6', '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299',
      'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8'],
    ['P-384', 'SHA-384', '6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5', 'ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13', '8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720',
      '94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe4699ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8'],
  ];
  for (const [namedCurve, hash, d, x, y, signature] of cases) {
    const jwk = { kty: 'EC', crv: namedCurve, d: url(d), x: url(x), y: url(y) }; const params = { name: 'ECDSA', namedCurve };
    const key = await subtle.importKey('jwk', jwk, params, true, ['sign']); const open = await raw(unhex('04' + x + y), params, ['verify'], true);
    if (typeof process === 'undefined') eq(hex(await subtle.sign({ name: 'ECDSA', hash }, key, bytes('sample'))), signature);
    eq(await subtle.verify({ name: 'ECDSA', hash }, open, unhex(signature), bytes('sample')), true); eq(await subtle.verify({ name: 'ECDSA', hash }, open, unhex(signature), bytes('simple')), false);
    for (const other of ['SHA-1', 'SHA-512']) eq(await subtle.verify({ name: 'ECDSA', hash: other }, open, await subtle.sign({ name: 'ECDSA', hash: other }, key, bytes('x')), bytes('x')), true);
    eq(await subtle.verify({ name: 'ECDSA', hash }, open, new Uint8Array(64), bytes('sample')), false); eq(await subtle.verify({ name: 'ECDSA', hash }, open, new Uint8Array(3), bytes('sample')), false);
    const { key_ops, ext, ...told } = await subtle.exportKey('jwk', key); delete told.alg; eq(told, jwk); eq(hex(await subtle.exportKey('raw', open)), '04' + x + y);
    const pkcs8 = await subtle.exportKey('pkcs8', key); eq(hex(await subtle.exportKey('pkcs8', await subtle.importKey('pkcs8', pkcs8, params, true, ['sign']))), hex(pkcs8));
    const spki = await subtle.exportKey('spki', open); eq(hex(await subtle.exportKey('raw', await subtle.importKey('spki', spki, params, true, ['verify']))), '04' + x + y);
    await refused(raw(unhex('04' + x + x), params, ['verify']), 'DataError'); await refused(subtle.importKey('jwk', { ...jwk, d: jwk.x }, params, false, ['sign']), 'DataError');
    await refused(subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: namedCurve === 'P-256' ? 'P-384' : 'P-256' }, false, ['verify']), 'DataError');
  }
  const ecdh = { name: 'ECDH', namedCurve: 'P-384' };
  const mine = await subtle.importKey('pkcs8', base64(made.ePrivate), ecdh, false, ['deriveBits', 'deriveKey']); const theirs = await subtle.importKey('spki', base64(made.ePublic), ecdh, false, []);
  eq(hex(await subtle.deriveBits({ name: 'ECDH', public: theirs }, mine, 384)), made.eshared); eq(hex(await subtle.deriveBits({ name: 'ECDH', public: theirs }, mine, null)), made.eshared);
  eq(hex(await subtle.deriveBits({ name: 'ECDH', public: theirs }, mine, 128)), made.eshared.slice(0, 32)); await refused(subtle.deriveBits({ name: 'ECDH', public: theirs }, mine, 392), 'OperationError');
  eq((await subtle.deriveKey({ name: 'ECDH', public: theirs }, mine, { name: 'AES-CBC', length: 256 }, false, ['encrypt'])).algorithm.length, 256);
  const other = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']); eq(other.publicKey.usages, []); await refused(subtle.deriveBits({ name: 'ECDH', public: other.publicKey }, mine, 8), 'InvalidAccessError');
  const secret = await subtle.importKey('pkcs8', base64(made.xPrivate), 'X25519', false, ['deriveBits']); eq(hex(await subtle.deriveBits({ name: 'X25519', public: await raw(base64(made.xPublic), 'X25519', []) }, secret, 256)), made.shared);
  await refused(subtle.deriveBits({ name: 'X25519', public: await raw(new Uint8Array(32), 'X25519', []) }, secret, 256), 'OperationError');
});
await check('Ed25519', async () => {
  // RFC 8032, 7.1, tests 1 to 3.
  const cases = [
    ['9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'],
    ['4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'],
    ['c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7', 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', 'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'],
  ];
  for (const [seed, point, message, signature] of cases) {
    const key = await subtle.importKey('jwk', { kty: 'OKP', crv: 'Ed25519', d: url(seed), x: url(point) }, 'Ed25519', true, ['sign']); const open = await raw(unhex(point), 'Ed25519', ['verify'], true);
    eq(hex(await subtle.sign('Ed25519', key, unhex(message))), signature); eq(await subtle.verify('Ed25519', open, unhex(signature), unhex(message)), true);
    const off = unhex(signature); off[40] ^= 1; eq(await subtle.verify('Ed25519', open, off, unhex(message)), false); eq(await subtle.verify('Ed25519', open, off.subarray(1), unhex(message)), false);
    const pkcs8 = await subtle.exportKey('pkcs8', key); eq(hex(pkcs8), '302e020100300506032b657004220420' + seed); eq(hex(await subtle.exportKey('spki', open)), '302a300506032b6570032100' + point);
    eq(hex(await subtle.sign('Ed25519', await subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']), unhex(message))), signature);
  }
  // The neutral element verifies anything where nobody looks.
  const small = await raw(unhex('01' + '00'.repeat(31)), 'Ed25519', ['verify']); eq(await subtle.verify('Ed25519', small, unhex('01' + '00'.repeat(63)), bytes('x')), false);
});
await check('what a key is for', async () => {
  const key = await raw(new Uint8Array(16), 'AES-GCM', ['encrypt']); const iv = new Uint8Array(12);
  await refused(subtle.decrypt({ name: 'AES-GCM', iv }, key, new Uint8Array(16)), 'InvalidAccessError'); await refused(subtle.encrypt({ name: 'AES-CBC', iv: new Uint8Array(16) }, key, iv), 'InvalidAccessError');
  await refused(subtle.exportKey('raw', key), 'InvalidAccessError'); await refused(subtle.sign('HMAC', key, iv), 'InvalidAccessError');
  await refused(raw(new Uint8Array(16), 'AES-GCM', ['sign']), 'SyntaxError'); await refused(raw(new Uint8Array(16), 'AES-GCM', []), 'SyntaxError'); await rejects(raw(new Uint8Array(16), 'AES-GCM', ['nonsense']), TypeError);
  await refused(subtle.importKey('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', ext: false }, 'AES-GCM', true, ['encrypt']), 'DataError'); await refused(subtle.importKey('jwk', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', key_ops: ['decrypt'] }, 'AES-GCM', true, ['encrypt']), 'DataError');
  await rejects(subtle.importKey('raw', 'text', 'AES-GCM', false, ['encrypt']), TypeError); await rejects(subtle.importKey('der', iv, 'AES-GCM', false, ['encrypt']), TypeError); await rejects(subtle.encrypt({ name: 'AES-GCM', iv }, {}, iv), TypeError);
  throws(() => new CryptoKey(), TypeError); throws(() => new SubtleCrypto(), TypeError); throws(() => new Crypto(), TypeError); await rejects(subtle.digest.call({}, 'SHA-1', iv), TypeError);
  eq(String(key), '[object CryptoKey]'); ok(key.usages === key.usages && key.algorithm === key.algorithm, 'the same each time');
});
