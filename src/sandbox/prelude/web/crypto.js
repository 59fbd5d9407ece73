
// What code is handed.

const NOTHING_GIVEN = { __proto__: null };

/** What an algorithm names and what it says besides, for an operation that it must know. */
const named = (algorithm, operation) => {
  const name = nameOf(algorithm);
  const known = algorithms[StringToLowerCase(name)];
  if (known?.[operation] === undefined) {
    let those = '';
    for (const key in algorithms) if (algorithms[key][operation] !== undefined) those += (those === '' ? '' : ', ') + algorithms[key].name;
    throw unsupported('There is no ' + operation + ' by ' + name + '; there is by ' + those);
  }
  return { __proto__: null, known, given: isObject(algorithm) ? algorithm : NOTHING_GIVEN };
};

const FORMATS = { __proto__: null, raw: 1, spki: 1, pkcs8: 1, jwk: 1 };
const formatOf = (value) => {
  const format = string(value);
  if (!(format in FORMATS)) throw new TypeError('There is no format ' + format + ': there are raw, spki, pkcs8 and jwk');
  return format;
};

const exported = (format, key) => {
  const inner = keyFor(key);
  const known = algorithms[StringToLowerCase(inner.algorithm.name)];
  if (known.exportKey === undefined) throw unsupported('A key for ' + inner.algorithm.name + ' can not be exported');
  if (!inner.extractable) throw refusal('InvalidAccessError', 'The key is not extractable');
  return known.exportKey(format, inner);
};

const derived = (algorithm, key, usage, bits) => {
  const { known, given } = named(algorithm, 'deriveBits');
  return known.deriveBits(given, keyFor(key, known.name, usage), bits);
};

const INTEGER_VIEWS = {
  __proto__: null, Int8Array: 1, Uint8Array: 1, Uint8ClampedArray: 1, Int16Array: 1, Uint16Array: 1, Int32Array: 1, Uint32Array: 1,
  BigInt64Array: 1, BigUint64Array: 1,
};

let subtleOf;

class SubtleCrypto {
  #own = true;
  constructor(own) {
    if (own !== OWN) throw new TypeError('SubtleCrypto is crypto.subtle');
  }
  static {
    subtleOf = (value) => value.#own;
  }

  async digest(algorithm, data) {
    subtleOf(this);
    few(arguments.length, 2, 'crypto.subtle.digest');
    const bytes = bytesOf(data, 'What is digested');
    return TypedArrayBuffer(named(algorithm, 'digest').known.digest(bytes));
  }

  async generateKey(algorithm, extractable, usages) {
    subtleOf(this);
    few(arguments.length, 3, 'crypto.subtle.generateKey');
    const { known, given } = named(algorithm, 'generateKey');
    return known.generateKey(given, !!extractable, usagesOf(usages));
  }

  async importKey(format, data, algorithm, extractable, usages) {
    subtleOf(this);
    few(arguments.length, 5, 'crypto.subtle.importKey');
    const kind = formatOf(format);
    const { known, given } = named(algorithm, 'importKey');
    return known.importKey(kind, data, given, !!extractable, usagesOf(usages));
  }

  async exportKey(format, key) {
    subtleOf(this);
    few(arguments.length, 2, 'crypto.subtle.exportKey');
    return exported(formatOf(format), key);
  }

  async sign(algorithm, key, data) {
    subtleOf(this);
    few(arguments.length, 3, 'crypto.subtle.sign');
    const { known, given } = named(algorithm, 'sign');
    const bytes = bytesOf(data, 'What is signed');
    return TypedArrayBuffer(known.sign(given, keyFor(key, known.name, 'sign'), bytes));
  }

  async verify(algorithm, key, signature, data) {
    subtleOf(this);
    few(arguments.length, 4, 'crypto.subtle.verify');
    const { known, given } = named(algorithm, 'verify');
    const mark = bytesOf(signature, 'A signature');
    const bytes = bytesOf(data, 'What is verified');
    return known.verify(given, keyFor(key, known.name, 'verify'), mark, bytes);
  }

  async encrypt(algorithm, key, data) {
    subtleOf(this);
    few(arguments.length, 3, 'crypto.subtle.encrypt');
    const { known, given } = named(algorithm, 'encrypt');
    const bytes = bytesOf(data, 'What is encrypted');
    return TypedArrayBuffer(known.encrypt(given, keyFor(key, known.name, 'encrypt'), bytes));
  }

  async decrypt(algorithm, key, data) {
    subtleOf(this);
    few(arguments.length, 3, 'crypto.subtle.decrypt');
    const { known, given } = named(algorithm, 'decrypt');
    const bytes = bytesOf(data, 'What is decrypted');
    return TypedArrayBuffer(known.decrypt(given, keyFor(key, known.name, 'decrypt'), bytes));
  }

  async deriveBits(algorithm, key, length = null) {
    subtleOf(this);
    few(arguments.length, 2, 'crypto.subtle.deriveBits');
    const bits = length === null ? null : whole(length, 4294967295, 'How many bits are derived');
    return TypedArrayBuffer(derived(algorithm, key, 'deriveBits', bits));
  }

  async deriveKey(algorithm, key, derivedKeyType, extractable, usages) {
    subtleOf(this);
    few(arguments.length, 5, 'crypto.subtle.deriveKey');
    const set = usagesOf(usages);
    const { known, given } = named(derivedKeyType, 'importKey');
    if (known.length === undefined) throw unsupported('No key for ' + known.name + ' can be derived');
    const bytes = derived(algorithm, key, 'deriveKey', known.length(given));
    return known.importKey('raw', bytes, given, !!extractable, set);
  }

  async wrapKey(format, key, wrappingKey, algorithm) {
    subtleOf(this);
    few(arguments.length, 4, 'crypto.subtle.wrapKey');
    const kind = formatOf(format);
    const { known, given } = named(algorithm, algorithms[StringToLowerCase(nameOf(algorithm))]?.wrap === undefined ? 'encrypt' : 'wrap');
    const inner = keyFor(wrappingKey, known.name, 'wrapKey');
    const out = exported(kind, key);
    const bytes = kind === 'jwk' ? web.encode(JSONStringify(ObjectSetPrototypeOf(out, null))) : new Uint8Array(out);
    return TypedArrayBuffer((known.wrap ?? known.encrypt)(given, inner, bytes));
  }

  async unwrapKey(format, wrapped, unwrappingKey, algorithm, unwrappedAlgorithm, extractable, usages) {
    subtleOf(this);
    few(arguments.length, 7, 'crypto.subtle.unwrapKey');
    const kind = formatOf(format);
    const bytes = bytesOf(wrapped, 'A wrapped key');
    const { known, given } = named(algorithm, algorithms[StringToLowerCase(nameOf(algorithm))]?.unwrap === undefined ? 'decrypt' : 'unwrap');
    const target = named(unwrappedAlgorithm, 'importKey');
    const set = usagesOf(usages);
    const data = (known.unwrap ?? known.decrypt)(given, keyFor(unwrappingKey, known.name, 'unwrapKey'), bytes);
    let key = data;
    if (kind === 'jwk') {
      try {
        key = JSONParse(web.decode('utf-8', data, false));
      } catch {
        throw wrong('The wrapped key is no JWK');
      }
      // The key may be one that code is never to see: a getter that it put on the prototype of all objects would be handed it.
      if (isObject(key)) ObjectSetPrototypeOf(key, null);
    }
    return target.known.importKey(kind, key, target.given, !!extractable, set);
  }
}
tag(SubtleCrypto, 'SubtleCrypto');

const subtle = new SubtleCrypto(OWN);

class Crypto {
  #subtle = subtle;
  constructor(own) {
    if (own !== OWN) throw new TypeError('Crypto is crypto');
  }

  get subtle() { return this.#subtle; }

  getRandomValues(array) {
    this.#subtle;
    few(arguments.length, 1, 'crypto.getRandomValues');
    if (!isObject(array) || !native.isTypedArray(array) || !(native.classOf(array) in INTEGER_VIEWS)) {
      throw refusal('TypeMismatchError', 'crypto.getRandomValues fills an array of integers, a Uint8Array for example');
    }
    const view = viewOf(array);
    const length = TypedArrayByteLength(view);
    if (length > 65536) throw refusal('QuotaExceededError', 'crypto.getRandomValues gives 65536 bytes at once, not ' + length);
    TypedArraySet(view, computed(rust.random(length)));
    return array;
  }

  randomUUID() {
    this.#subtle;
    return rust.uuid();
  }
}
tag(Crypto, 'Crypto');

/** A key that has the same bytes and rights. */
const cloneKey = (key) => new CryptoKey(OWN, innerOf(key));
const isKey = (value) => innerOf(value) !== undefined;
const shown = (value) => {
  const inner = innerOf(value);
  if (inner === undefined) return undefined;
  const { type, extractable, algorithm: { name }, usages } = inner;
  return { __proto__: null, name: 'CryptoKey', value: { __proto__: null, type, extractable, algorithm: name, usages: usageNames(usages) } };
};

return { __proto__: null, crypto: new Crypto(OWN), Crypto, CryptoKey, SubtleCrypto, isKey, cloneKey, shown };
}
