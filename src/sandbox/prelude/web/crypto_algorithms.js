
// The algorithms. Each has the operations that it knows; `given` is what the caller names it with.

const digests = { __proto__: null, 'sha-1': 'SHA-1', 'sha-256': 'SHA-256', 'sha-384': 'SHA-384', 'sha-512': 'SHA-512' };
const digestSizes = { __proto__: null, 'SHA-1': 20, 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 };
/** What the names of JWK end with. */
const digestNumbers = { __proto__: null, 'SHA-1': '1', 'SHA-256': '256', 'SHA-384': '384', 'SHA-512': '512' };

const nameOf = (algorithm) => {
  if (typeof algorithm === 'string') return algorithm;
  if (!isObject(algorithm)) throw new TypeError('An algorithm is a name or an object with a name');
  return string(member(algorithm, 'name', 'An algorithm'));
};

const hashOf = (given, what) => {
  const name = nameOf(member(given, 'hash', what));
  const hash = digests[StringToLowerCase(name)];
  if (hash === undefined) throw unsupported('There is no digest ' + name + ': there are SHA-1, SHA-256, SHA-384 and SHA-512');
  return hash;
};

const secretFormat = (format, what) => unsupported('A ' + what + ' has no format ' + format + ': there are raw and jwk');

/** The bytes of a secret key. */
const secretIn = (format, data, name, use, alg, extractable, usages) => {
  if (format === 'raw') return bytesOf(data, 'A key in the format raw');
  if (format !== 'jwk') throw secretFormat(format, 'key for ' + name);
  const jwk = jwkOf(data);
  const bytes = fromBase64(jwk.k, 'k');
  jwkFits(jwk, 'oct', use, alg(TypedArrayByteLength(bytes)), extractable, usages);
  return bytes;
};

const secretOut = (format, key, alg) => {
  if (format === 'raw') return TypedArrayBuffer(web.copy(key.data));
  if (format !== 'jwk') throw secretFormat(format, 'key for ' + key.algorithm.name);
  return jwkTo(key, { __proto__: null, kty: 'oct', k: rust.toBase64Url(key.data), alg });
};

const needsUsage = (usages, what) => {
  if (isEmpty(usages)) throw refusal('SyntaxError', 'A ' + what + ' needs a usage');
};

// HMAC

const HMAC_USAGES = ['sign', 'verify'];
const hmacAlg = (hash) => 'HS' + digestNumbers[hash];

/** A key of so many bits: what is left over of its last byte is zero. */
const trimmed = (bytes, given) => {
  const bits = TypedArrayByteLength(bytes) * 8;
  if (bits === 0) throw wrong('A key for HMAC is not empty');
  if (given.length === undefined) return bits;
  const length = whole(given.length, 4294967295, 'The length of a key for HMAC');
  if (length > bits || length <= bits - 8) throw wrong('The key for HMAC has ' + bits + ' bits, not ' + length);
  if (length % 8 !== 0) bytes[TypedArrayByteLength(bytes) - 1] &= 256 - (1 << (8 - (length % 8)));
  return length;
};

const hmac = {
  __proto__: null,
  name: 'HMAC',
  generateKey(given, extractable, usages) {
    const hash = hashOf(given, 'HMAC');
    const length = given.length === undefined
      ? (digestSizes[hash] > 32 ? 1024 : 512)
      : whole(given.length, 524288, 'The length of a key for HMAC');
    if (length === 0) throw refusal('OperationError', 'A key for HMAC is not empty');
    fits(usages, HMAC_USAGES, 'key for HMAC');
    needsUsage(usages, 'key for HMAC');
    const data = computed(rust.random((length + 7 - ((length + 7) % 8)) / 8));
    const algorithm = { __proto__: null, name: 'HMAC', hash, length: trimmed(data, { __proto__: null, length }) };
    return newKey('secret', algorithm, data, extractable, usages);
  },
  importKey(format, data, given, extractable, usages) {
    const hash = hashOf(given, 'HMAC');
    fits(usages, HMAC_USAGES, 'key for HMAC');
    needsUsage(usages, 'key for HMAC');
    const bytes = secretIn(format, data, 'HMAC', 'sig', () => hmacAlg(hash), extractable, usages);
    const length = trimmed(bytes, given);
    return newKey('secret', { __proto__: null, name: 'HMAC', hash, length }, bytes, extractable, usages);
  },
  exportKey: (format, key) => secretOut(format, key, hmacAlg(key.algorithm.hash)),
  sign: (given, key, data) => computed(rust.hmac(key.algorithm.hash, key.data, data)),
  verify: (given, key, signature, data) => rust.equal(computed(rust.hmac(key.algorithm.hash, key.data, data)), signature),
  length(given) {
    const hash = hashOf(given, 'HMAC');
    return given.length === undefined ? (digestSizes[hash] > 32 ? 1024 : 512) : whole(given.length, 524288, 'The length of a key for HMAC');
  },
};

// AES

const aesLength = (length) => {
  const bits = +length;
  if (bits !== 128 && bits !== 192 && bits !== 256) throw refusal('OperationError', 'The length of a key for AES is 128, 192 or 256');
  return bits;
};

const aesFamily = (name, mode, usagesOfIt, operations) => {
  const alg = (bits) => 'A' + bits + mode;
  const what = 'key for ' + name;
  const made = {
    __proto__: null,
    name,
    generateKey(given, extractable, usages) {
      const length = aesLength(member(given, 'length', name));
      fits(usages, usagesOfIt, what);
      needsUsage(usages, what);
      return newKey('secret', { __proto__: null, name, length }, computed(rust.random(length / 8)), extractable, usages);
    },
    importKey(format, data, given, extractable, usages) {
      fits(usages, usagesOfIt, what);
      needsUsage(usages, what);
      const bytes = secretIn(format, data, name, 'enc', (size) => alg(size * 8), extractable, usages);
      const length = TypedArrayByteLength(bytes) * 8;
      if (length !== 128 && length !== 192 && length !== 256) throw wrong('A key for AES has 128, 192 or 256 bits, not ' + length);
      return newKey('secret', { __proto__: null, name, length }, bytes, extractable, usages);
    },
    exportKey: (format, key) => secretOut(format, key, alg(key.algorithm.length)),
    length: (given) => aesLength(member(given, 'length', name)),
  };
  for (const operation in operations) made[operation] = operations[operation];
  return made;
};

const AES_USAGES = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'];
const nothing = new Uint8Array(0);

const tagOf = (given) => {
  const bits = given.tagLength === undefined ? 128 : whole(given.tagLength, 255, 'The tagLength of AES-GCM');
  const known = bits === 32 || bits === 64 || (bits >= 96 && bits <= 128 && bits % 8 === 0);
  if (!known) throw refusal('OperationError', 'The tagLength of AES-GCM is 32, 64, 96, 104, 112, 120 or 128');
  return bits / 8;
};

const gcm = (encrypts) => (given, key, data) => {
  const iv = bytesOf(member(given, 'iv', 'AES-GCM'), 'The iv of AES-GCM');
  const size = TypedArrayByteLength(iv);
  if (size !== 12 && size !== 16) throw unsupported('The iv of AES-GCM has 12 bytes here, or 16, not ' + size);
  const extra = given.additionalData === undefined ? nothing : bytesOf(given.additionalData, 'The additionalData of AES-GCM');
  return computed(rust.aes('gcm', encrypts, key.data, iv, data, extra, tagOf(given)));
};

const ivOf = (given, name, what) => {
  const iv = bytesOf(member(given, name, what), 'The ' + name + ' of ' + what);
  if (TypedArrayByteLength(iv) !== 16) throw refusal('OperationError', 'The ' + name + ' of ' + what + ' has 16 bytes');
  return iv;
};

const cbc = (encrypts) => (given, key, data) =>
  computed(rust.aes('cbc', encrypts, key.data, ivOf(given, 'iv', 'AES-CBC'), data, nothing, 0));

const ctr = (given, key, data) => {
  const counter = ivOf(given, 'counter', 'AES-CTR');
  const bits = whole(member(given, 'length', 'AES-CTR'), 255, 'The length of AES-CTR');
  return computed(rust.aes('ctr', true, key.data, counter, data, nothing, bits));
};

const aesGcm = aesFamily('AES-GCM', 'GCM', AES_USAGES, { __proto__: null, encrypt: gcm(true), decrypt: gcm(false) });
const aesCbc = aesFamily('AES-CBC', 'CBC', AES_USAGES, { __proto__: null, encrypt: cbc(true), decrypt: cbc(false) });
const aesCtr = aesFamily('AES-CTR', 'CTR', AES_USAGES, { __proto__: null, encrypt: ctr, decrypt: ctr });
const aesKw = aesFamily('AES-KW', 'KW', ['wrapKey', 'unwrapKey'], {
  __proto__: null,
  wrap: (given, key, data) => computed(rust.aes('kw', true, key.data, nothing, data, nothing, 0)),
  unwrap: (given, key, data) => computed(rust.aes('kw', false, key.data, nothing, data, nothing, 0)),
});

// What secrets are derived from

const baseKey = (name, deriveBits) => ({
  __proto__: null,
  name,
  importKey(format, data, given, extractable, usages) {
    if (format !== 'raw') throw unsupported('A key for ' + name + ' has the format raw only');
    fits(usages, ['deriveKey', 'deriveBits'], 'key for ' + name);
    if (extractable) throw refusal('SyntaxError', 'A key for ' + name + ' is not extractable');
    return newKey('secret', { __proto__: null, name }, bytesOf(data, 'A key in the format raw'), false, usages);
  },
  deriveBits,
  length: () => null,
});

/** How many bytes; `null` bits are none that is known. */
const sizeOf = (bits, name) => {
  if (bits === null) throw refusal('OperationError', name + ' needs to know how many bits');
  if (bits % 8 !== 0) throw refusal('OperationError', name + ' derives a multiple of 8 bits');
  return bits / 8;
};

const hkdf = baseKey('HKDF', (given, key, bits) => {
  const hash = hashOf(given, 'HKDF');
  const salt = bytesOf(member(given, 'salt', 'HKDF'), 'The salt of HKDF');
  const info = bytesOf(member(given, 'info', 'HKDF'), 'The info of HKDF');
  return computed(rust.hkdf(hash, key.data, salt, info, sizeOf(bits, 'HKDF')));
});

const pbkdf2 = baseKey('PBKDF2', (given, key, bits) => {
  const hash = hashOf(given, 'PBKDF2');
  const salt = bytesOf(member(given, 'salt', 'PBKDF2'), 'The salt of PBKDF2');
  const iterations = whole(member(given, 'iterations', 'PBKDF2'), 4294967295, 'The iterations of PBKDF2');
  if (iterations === 0) throw refusal('OperationError', 'The iterations of PBKDF2 are at least one');
  const size = sizeOf(bits, 'PBKDF2');
  return size === 0 ? new Uint8Array(0) : computed(rust.pbkdf2(hash, key.data, salt, iterations, size));
});

// RSA

const keyFormat = (format, name) => unsupported('A key for ' + name + ' has no format ' + format + ': there are spki, pkcs8 and jwk');

const RSA_ALGS = {
  __proto__: null,
  'RSASSA-PKCS1-v1_5': (hash) => 'RS' + digestNumbers[hash],
  'RSA-PSS': (hash) => 'PS' + digestNumbers[hash],
  'RSA-OAEP': (hash) => (hash === 'SHA-1' ? 'RSA-OAEP' : 'RSA-OAEP-' + digestNumbers[hash]),
};

const rsaKey = (name, hash, isPrivate, data, extractable, usages) => {
  const parts = computed(rust.rsaParts(isPrivate, data), 'DataError');
  const modulus = parts[0];
  let modulusLength = TypedArrayByteLength(modulus) * 8;
  for (let high = modulus[0]; high < 128; high *= 2) modulusLength--;
  const algorithm = { __proto__: null, name, hash, modulusLength, publicExponent: parts[1] };
  return newKey(isPrivate ? 'private' : 'public', algorithm, data, extractable, usages);
};

const rsaFamily = (name, publicUsages, privateUsages, operations) => {
  const use = name === 'RSA-OAEP' ? 'enc' : 'sig';
  const both = list();
  for (let i = 0; i < publicUsages.length; i++) both[both.length] = publicUsages[i];
  for (let i = 0; i < privateUsages.length; i++) both[both.length] = privateUsages[i];
  const fromJwk = (given, hash, extractable, usages) => {
    const jwk = jwkOf(given);
    const isPrivate = jwk.d !== undefined;
    fits(usages, isPrivate ? privateUsages : publicUsages, (isPrivate ? 'private' : 'public') + ' key for ' + name);
    jwkFits(jwk, 'RSA', use, RSA_ALGS[name](hash), extractable, usages);
    if (jwk.oth !== undefined) throw unsupported('RSA keys of more than two primes are not supported');
    const names = !isPrivate ? ['n', 'e'] : jwk.p === undefined ? ['n', 'e', 'd'] : ['n', 'e', 'd', 'p', 'q'];
    const parts = list();
    for (let i = 0; i < names.length; i++) parts[i] = fromBase64(jwk[names[i]], names[i]);
    return { __proto__: null, isPrivate, data: computed(rust.rsaJoin(parts), 'DataError') };
  };
  const made = {
    __proto__: null,
    name,
    generateKey(given, extractable, usages) {
      const bits = whole(member(given, 'modulusLength', name), 4294967295, 'The modulusLength of ' + name);
      const exponent = bytesOf(member(given, 'publicExponent', name), 'The publicExponent of ' + name);
      const hash = hashOf(given, name);
      fits(usages, both, 'key for ' + name);
      const forPrivate = allowed(usages, privateUsages);
      needsUsage(forPrivate, 'private key for ' + name);
      const data = computed(rust.rsaGenerate(bits, exponent));
      const publicKey = rsaKey(name, hash, false, computed(rust.rsaPublic(data)), true, allowed(usages, publicUsages));
      return { publicKey, privateKey: rsaKey(name, hash, true, data, extractable, forPrivate) };
    },
    importKey(format, data, given, extractable, usages) {
      const hash = hashOf(given, name);
      let made;
      if (format === 'jwk') made = fromJwk(data, hash, extractable, usages);
      else if (format === 'spki' || format === 'pkcs8') {
        const isPrivate = format === 'pkcs8';
        fits(usages, isPrivate ? privateUsages : publicUsages, (isPrivate ? 'private' : 'public') + ' key for ' + name);
        const bytes = bytesOf(data, 'A key in the format ' + format);
        made = { __proto__: null, isPrivate, data: computed(rust.rsaImport(format, bytes), 'DataError') };
      } else throw keyFormat(format, name);
      if (made.isPrivate) needsUsage(usages, 'private key for ' + name);
      return rsaKey(name, hash, made.isPrivate, made.data, extractable, usages);
    },
    exportKey(format, key) {
      const isPrivate = key.type === 'private';
      if (format === 'spki' || format === 'pkcs8') {
        if (isPrivate !== (format === 'pkcs8')) throw refusal('InvalidAccessError', 'A ' + key.type + ' key has no format ' + format);
        return TypedArrayBuffer(computed(rust.rsaExport(format, key.data)));
      }
      if (format !== 'jwk') throw keyFormat(format, name);
      const parts = computed(rust.rsaParts(isPrivate, key.data));
      const names = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'];
      const members = { __proto__: null, kty: 'RSA', alg: RSA_ALGS[name](key.algorithm.hash) };
      for (let i = 0; i < parts.length; i++) members[names[i]] = rust.toBase64Url(parts[i]);
      return jwkTo(key, members);
    },
  };
  for (const operation in operations) made[operation] = operations[operation];
  return made;
};

const saltOf = (given) => whole(member(given, 'saltLength', 'RSA-PSS'), 512, 'The saltLength of RSA-PSS');
const labelOf = (given) => (given.label === undefined ? nothing : bytesOf(given.label, 'The label of RSA-OAEP'));

const rsaPkcs1 = rsaFamily('RSASSA-PKCS1-v1_5', ['verify'], ['sign'], {
  __proto__: null,
  sign: (given, key, data) => computed(rust.rsaSign(key.algorithm.hash, undefined, typed(key, 'private', 'sign'), data)),
  verify: (given, key, signature, data) =>
    computed(rust.rsaVerify(key.algorithm.hash, undefined, typed(key, 'public', 'verify'), data, signature)),
});
const rsaPss = rsaFamily('RSA-PSS', ['verify'], ['sign'], {
  __proto__: null,
  sign: (given, key, data) => computed(rust.rsaSign(key.algorithm.hash, saltOf(given), typed(key, 'private', 'sign'), data)),
  verify: (given, key, signature, data) =>
    computed(rust.rsaVerify(key.algorithm.hash, saltOf(given), typed(key, 'public', 'verify'), data, signature)),
});
const rsaOaep = rsaFamily('RSA-OAEP', ['encrypt', 'wrapKey'], ['decrypt', 'unwrapKey'], {
  __proto__: null,
  encrypt: (given, key, data) => computed(rust.rsaEncrypt(key.algorithm.hash, typed(key, 'public', 'encrypt'), labelOf(given), data)),
  decrypt: (given, key, data) => computed(rust.rsaDecrypt(key.algorithm.hash, typed(key, 'private', 'decrypt'), labelOf(given), data)),
});

// Curves

const curveSizes = { __proto__: null, 'P-256': 32, 'P-384': 48, Ed25519: 32, X25519: 32 };

const curveOf = (given, name) => {
  const curve = string(member(given, 'namedCurve', name));
  if (curve !== 'P-256' && curve !== 'P-384') throw unsupported('There is no curve ' + curve + ': there are P-256 and P-384');
  return curve;
};

const curveFormat = (format, name) =>
  unsupported('A key for ' + name + ' has no format ' + format + ': there are raw (public), spki, pkcs8 and jwk');

/** `curve` of what the caller names: the one that is named, or the only one. `isNamed` if keys show it. */
const curveFamily = (name, curveFrom, isNamed, kty, use, publicUsages, privateUsages, operations) => {
  const both = list();
  for (let i = 0; i < publicUsages.length; i++) both[both.length] = publicUsages[i];
  for (let i = 0; i < privateUsages.length; i++) both[both.length] = privateUsages[i];
  const describe = (curve) => (isNamed ? { __proto__: null, name, namedCurve: curve } : { __proto__: null, name });
  const check = (usages, isPrivate) =>
    fits(usages, isPrivate ? privateUsages : publicUsages, (isPrivate ? 'private' : 'public') + ' key for ' + name);
  const jwkAlg = (curve) => (name === 'ECDSA' ? (curve === 'P-256' ? 'ES256' : 'ES384') : undefined);
  const fromJwk = (given, curve, extractable, usages) => {
    const jwk = jwkOf(given);
    const isPrivate = jwk.d !== undefined;
    check(usages, isPrivate);
    jwkFits(jwk, kty, use, jwkAlg(curve), extractable, usages);
    if (kty === 'OKP' && jwk.alg !== undefined && jwk.alg !== 'EdDSA' && jwk.alg !== name) throw wrong('The alg of the JWK is not ' + name);
    if (jwk.crv !== curve) throw wrong('The crv of the JWK is not ' + curve);
    const size = curveSizes[curve];
    const number = (member) => {
      const bytes = fromBase64(jwk[member], member);
      if (TypedArrayByteLength(bytes) !== size) throw wrong('The ' + member + ' of the JWK has not ' + size + ' bytes');
      return bytes;
    };
    let point = number('x');
    if (kty === 'EC') {
      const start = new Uint8Array(1);
      start[0] = 4;
      point = web.concat([start, point, number('y')]);
    }
    point = computed(rust.curvePoint(curve, point), 'DataError');
    if (!isPrivate) return { __proto__: null, isPrivate, data: point };
    const data = number('d');
    if (!rust.equal(computed(rust.curvePublic(curve, data), 'DataError'), point)) throw wrong("The numbers of the JWK don't belong together");
    return { __proto__: null, isPrivate, data };
  };
  const made = {
    __proto__: null,
    name,
    generateKey(given, extractable, usages) {
      const curve = curveFrom(given, name);
      fits(usages, both, 'key for ' + name);
      const forPrivate = allowed(usages, privateUsages);
      needsUsage(forPrivate, 'private key for ' + name);
      const data = computed(rust.curveGenerate(curve));
      const point = computed(rust.curvePublic(curve, data));
      return {
        publicKey: newKey('public', describe(curve), point, true, allowed(usages, publicUsages)),
        privateKey: newKey('private', describe(curve), data, extractable, forPrivate),
      };
    },
    importKey(format, data, given, extractable, usages) {
      const curve = curveFrom(given, name);
      let made;
      if (format === 'jwk') made = fromJwk(data, curve, extractable, usages);
      else if (format === 'raw') {
        check(usages, false);
        made = { __proto__: null, isPrivate: false, data: computed(rust.curvePoint(curve, bytesOf(data, 'A key in the format raw')), 'DataError') };
      } else if (format === 'spki' || format === 'pkcs8') {
        const isPrivate = format === 'pkcs8';
        check(usages, isPrivate);
        const bytes = bytesOf(data, 'A key in the format ' + format);
        made = { __proto__: null, isPrivate, data: computed(rust.curveImport(curve, format, bytes), 'DataError') };
      } else throw curveFormat(format, name);
      if (made.isPrivate) needsUsage(usages, 'private key for ' + name);
      return newKey(made.isPrivate ? 'private' : 'public', describe(curve), made.data, extractable, usages);
    },
    exportKey(format, key) {
      const isPrivate = key.type === 'private';
      const curve = key.algorithm.namedCurve ?? name;
      if (format === 'raw' || format === 'spki' || format === 'pkcs8') {
        if (isPrivate !== (format === 'pkcs8')) throw refusal('InvalidAccessError', 'A ' + key.type + ' key has no format ' + format);
        return TypedArrayBuffer(format === 'raw' ? web.copy(key.data) : computed(rust.curveExport(curve, format, key.data)));
      }
      if (format !== 'jwk') throw curveFormat(format, name);
      const point = isPrivate ? computed(rust.curvePublic(curve, key.data)) : key.data;
      const size = curveSizes[curve];
      const part = (from) => rust.toBase64Url(new Uint8Array(TypedArrayBuffer(point), from, size));
      const members = { __proto__: null, kty, crv: curve, x: undefined, y: undefined, d: undefined };
      members.x = kty === 'EC' ? part(1) : rust.toBase64Url(point);
      if (kty === 'EC') members.y = part(1 + size);
      if (isPrivate) members.d = rust.toBase64Url(key.data);
      return jwkTo(key, members);
    },
  };
  for (const operation in operations) made[operation] = operations[operation];
  return made;
};

const agree = (curve) => (given, key, bits) => {
  const name = key.algorithm.name;
  const other = keyFor(member(given, 'public', name), name);
  const secret = typed(key, 'private', 'deriveBits');
  const point = typed(other, 'public', 'The public of ' + name);
  if (other.algorithm.namedCurve !== key.algorithm.namedCurve) throw refusal('InvalidAccessError', 'The two keys lie on different curves');
  const shared = computed(rust.curveDerive(curve ?? key.algorithm.namedCurve, secret, point));
  if (bits === null) return shared;
  const size = (bits + 7 - ((bits + 7) % 8)) / 8;
  if (size > TypedArrayByteLength(shared)) throw refusal('OperationError', name + ' derives at most ' + TypedArrayByteLength(shared) * 8 + ' bits');
  const part = web.copy(new Uint8Array(TypedArrayBuffer(shared), 0, size));
  if (bits % 8 !== 0) part[size - 1] &= 256 - (1 << (8 - (bits % 8)));
  return part;
};

const ecdsa = curveFamily('ECDSA', curveOf, true, 'EC', 'sig', ['verify'], ['sign'], {
  __proto__: null,
  sign: (given, key, data) =>
    computed(rust.curveSign(key.algorithm.namedCurve, hashOf(given, 'ECDSA'), typed(key, 'private', 'sign'), data)),
  verify: (given, key, signature, data) =>
    computed(rust.curveVerify(key.algorithm.namedCurve, hashOf(given, 'ECDSA'), typed(key, 'public', 'verify'), data, signature)),
});
const ecdh = curveFamily('ECDH', curveOf, true, 'EC', 'enc', [], ['deriveKey', 'deriveBits'], { __proto__: null, deriveBits: agree(undefined) });
const ed25519 = curveFamily('Ed25519', () => 'Ed25519', false, 'OKP', 'sig', ['verify'], ['sign'], {
  __proto__: null,
  sign: (given, key, data) => computed(rust.curveSign('Ed25519', undefined, typed(key, 'private', 'sign'), data)),
  verify: (given, key, signature, data) => computed(rust.curveVerify('Ed25519', undefined, typed(key, 'public', 'verify'), data, signature)),
});
const x25519 = curveFamily('X25519', () => 'X25519', false, 'OKP', 'enc', [], ['deriveKey', 'deriveBits'], {
  __proto__: null, deriveBits: agree('X25519'),
});

const digestOf = (hash) => ({ __proto__: null, name: hash, digest: (data) => computed(rust.digest(hash, data)) });
const algorithms = {
  __proto__: null, hmac, 'aes-gcm': aesGcm, 'aes-cbc': aesCbc, 'aes-ctr': aesCtr, 'aes-kw': aesKw, hkdf, pbkdf2,
  'rsassa-pkcs1-v1_5': rsaPkcs1, 'rsa-pss': rsaPss, 'rsa-oaep': rsaOaep, ecdsa, ecdh, ed25519, x25519,
};
for (const name in digests) algorithms[name] = digestOf(digests[name]);
