// What the parts of the web platform share.
(native, kit) => {
'use strict';
const { classOf, isTypedArray } = native;
const { IteratorPrototype, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectSetPrototypeOf, ReflectApply, ReflectOwnKeys,
  String, StringCharCodeAt, StringSlice, StringToWellFormed, SymbolIterator, SymbolToStringTag, TypedArrayBuffer, TypedArrayByteLength,
  TypedArrayByteOffset, TypeError, Uint8Array, ViewBuffer, ViewLength, ViewOffset, define, isObject } = kit;
const web = native.web();

/** An array in which a patched `Array.prototype` has no say. */
const list = () => ObjectSetPrototypeOf([], null);

/** What a value is as a text, where it can be one. Template literals are calls of `concat`, which code may have patched: there are none
 * in these scripts. */
const string = (value) => {
  if (typeof value === 'symbol') throw new TypeError('A symbol is no text');
  return String(value);
};

/** A text without lone surrogates, of anything that can be one. */
const usv = (value) => StringToWellFormed(string(value));

/** The bytes of a buffer or of any view on one, not copied; `undefined` for anything else. */
const viewOf = (value) => {
  if (!isObject(value)) return undefined;
  if (isTypedArray(value)) return new Uint8Array(TypedArrayBuffer(value), TypedArrayByteOffset(value), TypedArrayByteLength(value));
  switch (classOf(value)) {
    case 'ArrayBuffer': return new Uint8Array(value);
    case 'DataView': return new Uint8Array(ViewBuffer(value), ViewOffset(value), ViewLength(value));
    default: return undefined;
  }
};

/** Text of bytes or of a text, without a byte order mark. */
const textOf = (data) => {
  const text = typeof data === 'string' ? data : web.decode('utf-8', data, false);
  return StringCharCodeAt(text, 0) === 0xFEFF ? StringSlice(text, 1) : text;
};

const tag = (Class, name) =>
  ObjectDefineProperty(Class.prototype, SymbolToStringTag, { __proto__: null, value: name, configurable: true });

/** Refuses a call with fewer than `least` arguments. */
const few = (count, least, name) => {
  if (count >= least) return;
  throw new TypeError(name + ' takes ' + (least === 1 ? 'an argument' : least + ' arguments') + ', not ' + (count === 0 ? 'none' : count));
};

/** A dictionary of options: `undefined` and `null` are an empty one. */
const options = (value, name) => {
  if (value === undefined || value === null) return { __proto__: null };
  if (!isObject(value)) throw new TypeError(name + ' takes its options as an object');
  return value;
};

/** Calls `add(name, value)` for what a sequence of pairs or an object names. */
const eachPair = (init, what, add) => {
  const method = init[SymbolIterator];
  if (method === undefined || method === null) {
    const keys = ReflectOwnKeys(init);
    for (let i = 0; i < keys.length; i++) {
      const property = ObjectGetOwnPropertyDescriptor(init, keys[i]);
      if (property !== undefined && property.enumerable) add(keys[i], init[keys[i]]);
    }
    return;
  }
  for (const pair of init) {
    if (!isObject(pair)) throw new TypeError(what + ': each entry is a pair of a name and a value');
    let count = 0;
    let name;
    let value;
    for (const part of pair) {
      if (count === 0) name = part;
      else value = part;
      if (++count > 2) break;
    }
    if (count !== 2) throw new TypeError(what + ': each entry is a pair of a name and a value');
    add(name, value);
  }
};

/** How an object of the web platform is shown: its class, and its members or, as a flat list, its pairs. */
const seen = (name, value, pairs) => ({ __proto__: null, name, value, pairs });

/** Gives a class the iteration of pairs. `flat(object)` answers its names and values as they are now, or throws if it isn't one. */
/** Gives the first pair of that name this value and takes the others out; adds a pair where there is none. */
const setPair = (pairs, name, value) => {
  let to = 0;
  let found = false;
  for (let at = 0; at < pairs.length; at += 2) {
    const here = pairs[at] === name;
    if (here && found) continue;
    pairs[to] = pairs[at];
    pairs[to + 1] = here ? value : pairs[at + 1];
    found ||= here;
    to += 2;
  }
  if (!found) {
    pairs[to++] = name;
    pairs[to++] = value;
  }
  pairs.length = to;
};

const iterable = (Class, name, flat) => {
  class Pairs {
    #object;
    #kind;
    #at = 0;
    constructor(object, kind) {
      flat(object);
      this.#object = object;
      this.#kind = kind;
    }
    next() {
      const pairs = flat(this.#object);
      const at = this.#at;
      if (at >= pairs.length) return { value: undefined, done: true };
      this.#at = at + 2;
      const kind = this.#kind;
      return { value: kind === 0 ? [pairs[at], pairs[at + 1]] : pairs[at + kind - 1], done: false };
    }
  }
  delete Pairs.prototype.constructor;
  ObjectSetPrototypeOf(Pairs.prototype, IteratorPrototype);
  tag(Pairs, name + ' Iterator');
  const proto = Class.prototype;
  const { entries, keys, values, forEach } = {
    entries() { return new Pairs(this, 0); },
    keys() { return new Pairs(this, 1); },
    values() { return new Pairs(this, 2); },
    forEach(callback, self) {
      flat(this);
      if (typeof callback !== 'function') throw new TypeError(name + '.forEach takes a function');
      for (let at = 0, pairs; at < (pairs = flat(this)).length; at += 2) ReflectApply(callback, self, [pairs[at + 1], pairs[at], this]);
    },
  };
  define(proto, 'entries', entries);
  define(proto, 'keys', keys);
  define(proto, 'values', values);
  define(proto, 'forEach', forEach);
  define(proto, SymbolIterator, entries);
  tag(Class, name);
};

return { __proto__: null, web, list, string, usv, viewOf, textOf, tag, few, options, eachPair, setPair, seen, iterable };
}
