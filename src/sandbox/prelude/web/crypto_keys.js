// crypto: random numbers, and `subtle` with its keys. What is computed is computed in Rust; what a key may be used for is decided here,
// because the bytes of a key lie in the key's object, where no code but this can see them.
(native, kit, need) => {
'use strict';
const { DOMException, JSONParse, JSONStringify, MathTrunc, ObjectSetPrototypeOf, StringToLowerCase, TypedArrayBuffer,
  TypedArrayByteLength, TypedArraySet, TypeError, Uint8Array, isObject, put } = kit;
const { web, list, string, viewOf, tag, few } = need('common');
const rust = native.crypto();

/** Proof that the glue itself constructs. */
const OWN = { __proto__: null };

const refusal = (name, message) => new DOMException(message, name);
const wrong = (message) => refusal('DataError', message);
const unsupported = (message) => refusal('NotSupportedError', message);

/** What Rust computed. Where it refuses, it answers a text. */
const computed = (result, name = 'OperationError') => {
  if (typeof result === 'string') throw refusal(name, result);
  return result;
};

/** The bytes of an argument, copied: whoever gave them may change them while the operation waits. */
const bytesOf = (value, what) => {
  const view = viewOf(value);
  if (view === undefined) throw new TypeError(what + ' is an ArrayBuffer or a view on one');
  return web.copy(view);
};

const whole = (value, max, what) => {
  const number = MathTrunc(+value);
  if (!(number >= 0 && number <= max)) throw new TypeError(what + ' is a whole number from 0 to ' + max);
  return number;
};

const member = (given, name, what) => {
  const value = given[name];
  if (value === undefined) throw new TypeError(what + ' needs ' + name);
  return value;
};

const KEY_USAGES = ['encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey'];

/** The usages of a list, in the order of the standard, each once. */
const usagesOf = (given) => {
  if (!isObject(given)) throw new TypeError('The usages of a key are a list of texts');
  const set = { __proto__: null };
  for (const usage of given) {
    const text = string(usage);
    let known = false;
    for (let i = 0; i < KEY_USAGES.length; i++) known ||= KEY_USAGES[i] === text;
    if (!known) throw new TypeError('There is no usage ' + text + ': there are encrypt, decrypt, sign, verify, deriveKey, deriveBits, wrapKey and unwrapKey');
    set[text] = true;
  }
  return set;
};

const allowed = (usages, those) => {
  const set = { __proto__: null };
  for (let i = 0; i < those.length; i++) if (usages[those[i]]) set[those[i]] = true;
  return set;
};

const isEmpty = (usages) => {
  for (const usage in usages) if (usages[usage]) return false;
  return true;
};

/** Refuses usages that a kind of key can't have. */
const fits = (usages, those, what) => {
  for (const usage in usages) {
    let known = false;
    for (let i = 0; i < those.length; i++) known ||= those[i] === usage;
    if (!known) throw refusal('SyntaxError', 'A ' + what + ' is not for ' + usage);
  }
};

const usageNames = (usages) => {
  const names = [];
  for (let i = 0; i < KEY_USAGES.length; i++) if (usages[KEY_USAGES[i]]) put(names, names.length, KEY_USAGES[i]);
  return names;
};

let innerOf;

class CryptoKey {
  /** { type, extractable, algorithm, usages, data }: what counts, whatever is done to what the getters show. */
  #inner;
  #algorithm;
  #usages;

  static {
    innerOf = (value) => (isObject(value) && #inner in value ? value.#inner : undefined);
  }

  constructor(own, inner) {
    if (own !== OWN) throw new TypeError('A CryptoKey comes from crypto.subtle: importKey, generateKey, deriveKey or unwrapKey');
    this.#inner = inner;
  }

  get type() { return this.#inner.type; }
  get extractable() { return this.#inner.extractable; }

  get algorithm() {
    if (this.#algorithm === undefined) {
      const { name, hash, length, namedCurve, modulusLength, publicExponent } = this.#inner.algorithm;
      const shown = { name };
      if (length !== undefined) put(shown, 'length', length);
      if (modulusLength !== undefined) put(shown, 'modulusLength', modulusLength);
      if (publicExponent !== undefined) put(shown, 'publicExponent', web.copy(publicExponent));
      if (hash !== undefined) put(shown, 'hash', { name: hash });
      if (namedCurve !== undefined) put(shown, 'namedCurve', namedCurve);
      this.#algorithm = shown;
    }
    return this.#algorithm;
  }

  get usages() { return this.#usages ??= usageNames(this.#inner.usages); }
}
tag(CryptoKey, 'CryptoKey');

const newKey = (type, algorithm, data, extractable, usages) =>
  new CryptoKey(OWN, { __proto__: null, type, extractable, algorithm, usages, data });

/** The key of an argument, if it may be used like this. */
const keyFor = (key, name, usage) => {
  const inner = innerOf(key);
  if (inner === undefined) throw new TypeError('The key is a CryptoKey');
  if (name !== undefined && inner.algorithm.name !== name) {
    throw refusal('InvalidAccessError', 'The key is one for ' + inner.algorithm.name + ', not for ' + name);
  }
  if (usage !== undefined && !inner.usages[usage]) {
    throw refusal('InvalidAccessError', 'The key is not for ' + usage + ': its usages were given when it was made');
  }
  return inner;
};

/** Keys of these types only, for what one half of a pair can't do. */
const typed = (key, type, what) => {
  if (key.type !== type) throw refusal('InvalidAccessError', what + ' takes a ' + type + ' key, not a ' + key.type + ' one');
  return key.data;
};

// JSON Web Keys.

const fromBase64 = (value, what) => {
  if (typeof value !== 'string') throw wrong('The JWK has no ' + what);
  const bytes = rust.fromBase64Url(value);
  if (bytes === undefined) throw wrong('The ' + what + ' of the JWK is not base64url without padding');
  return bytes;
};

/** The members of a JWK, read once, as a record that nothing changes. */
const jwkOf = (given) => {
  if (!isObject(given) || viewOf(given) !== undefined) throw new TypeError('A key in the format jwk is an object');
  const jwk = { __proto__: null };
  const names = ['kty', 'use', 'key_ops', 'ext', 'alg', 'crv', 'k', 'x', 'y', 'd', 'n', 'e', 'p', 'q', 'oth'];
  for (let i = 0; i < names.length; i++) jwk[names[i]] = given[names[i]];
  return jwk;
};

/** Refuses a JWK that says of itself that it isn't for this. */
const jwkFits = (jwk, kty, use, alg, extractable, usages) => {
  if (jwk.kty !== kty) throw wrong('The kty of the JWK is ' + kty + ' for this algorithm');
  if (jwk.use !== undefined && jwk.use !== use && !isEmpty(usages)) throw wrong('The JWK is not for this use');
  if (jwk.key_ops !== undefined) {
    if (!isObject(jwk.key_ops)) throw wrong('The key_ops of the JWK are a list');
    const ops = { __proto__: null };
    for (const op of jwk.key_ops) ops[string(op)] = true;
    for (const usage in usages) if (!ops[usage]) throw wrong('The key_ops of the JWK lack ' + usage);
  }
  if (jwk.ext === false && extractable) throw wrong('The JWK is not extractable');
  if (alg !== undefined && jwk.alg !== undefined && jwk.alg !== alg) throw wrong('The alg of the JWK is not ' + alg);
};

const jwkTo = (key, members) => {
  const jwk = {};
  for (const name in members) if (members[name] !== undefined) put(jwk, name, members[name]);
  put(jwk, 'key_ops', usageNames(key.usages));
  put(jwk, 'ext', key.extractable);
  return jwk;
};
