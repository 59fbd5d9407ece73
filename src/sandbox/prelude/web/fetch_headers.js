// Headers, Request and Response, and what the glue of a route needs of them.
(native, kit, need, have) => {
'use strict';
const { ArrayPrototype, ArraySort, Error, JSONParse, JSONStringify, MathTrunc, ObjectDefineProperty, ObjectKeys, ObjectSetPrototypeOf, RangeError,
  StringSlice, StringToUpperCase, TypedArrayBuffer, TypedArrayByteLength, TypeError, isObject, put } = kit;
const { web, list, string, usv, viewOf, textOf, tag, few, options, eachPair, iterable, seen } = need('common');
const { concat, copy, encode, headerName, headerValue, isBytes, isToken, mime, parseJson } = web;
/** Proof that the glue itself constructs. */
const OWN = { __proto__: null };

const shown = (text) => (text.length > 100 ? StringSlice(text, 0, 100) + '…' : text);

const validName = (name) => {
  const text = string(name);
  const valid = headerName(text);
  if (valid === undefined) throw new TypeError('Not a header name: ' + (text === '' ? 'an empty text' : shown(text)));
  return valid;
};

const validValue = (name, value) => {
  const text = headerValue(string(value));
  if (text === undefined) {
    throw new TypeError('Not a value for the header ' + name + ': it may not hold line breaks, zeros or characters above U+00FF');
  }
  return text;
};

let isHeaders;
let rawOf;
let rawGet;
let rawAdd;

class Headers {
  /** Names in lower case and values, in the order in which they came. */
  #list;
  #fixed = false;
  #sorted;

  static {
    isHeaders = (value) => isObject(value) && #list in value;
    rawOf = (headers) => headers.#list;
    rawAdd = (headers, name, value) => {
      const pairs = headers.#list;
      pairs[pairs.length] = name;
      pairs[pairs.length] = value;
      headers.#sorted = undefined;
    };
    rawGet = (headers, name) => {
      const pairs = headers.#list;
      let found = null;
      for (let at = 0; at < pairs.length; at += 2) {
        if (pairs[at] === name) found = found === null ? pairs[at + 1] : found + ', ' + pairs[at + 1];
      }
      return found;
    };
  }

  constructor(init, pairs, fixed) {
    if (init === OWN) {
      this.#list = pairs;
      this.#fixed = fixed;
      return;
    }
    this.#list = list();
    if (init === undefined) return;
    if (!isObject(init)) throw new TypeError('Headers takes Headers, a list of pairs or an object');
    if (#list in init) for (let i = 0; i < init.#list.length; i++) this.#list[i] = init.#list[i];
    else {
      eachPair(init, 'Headers', (name, value) => {
        const valid = validName(name);
        rawAdd(this, valid, validValue(valid, value));
      });
    }
  }

  #open() {
    if (this.#fixed) throw new TypeError('These headers can not be changed: copy them with new Headers(headers)');
    this.#sorted = undefined;
    return this.#list;
  }

  append(name, value) {
    this.#list;
    few(arguments.length, 2, 'Headers.append');
    const valid = validName(name);
    const text = validValue(valid, value);
    this.#open();
    rawAdd(this, valid, text);
  }

  delete(name) {
    this.#list;
    few(arguments.length, 1, 'Headers.delete');
    const valid = validName(name);
    const pairs = this.#open();
    let to = 0;
    for (let at = 0; at < pairs.length; at += 2) {
      if (pairs[at] === valid) continue;
      pairs[to] = pairs[at];
      pairs[to + 1] = pairs[at + 1];
      to += 2;
    }
    pairs.length = to;
  }

  get(name) {
    this.#list;
    few(arguments.length, 1, 'Headers.get');
    return rawGet(this, validName(name));
  }

  getSetCookie() {
    const pairs = this.#list;
    const found = list();
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === 'set-cookie') found[found.length] = pairs[at + 1];
    return ObjectSetPrototypeOf(found, ArrayPrototype);
  }

  has(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'Headers.has');
    const valid = validName(name);
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === valid) return true;
    return false;
  }

  set(name, value) {
    this.#list;
    few(arguments.length, 2, 'Headers.set');
    const valid = validName(name);
    const text = validValue(valid, value);
    const pairs = this.#open();
    let to = 0;
    let found = false;
    for (let at = 0; at < pairs.length; at += 2) {
      const here = pairs[at] === valid;
      if (here && found) continue;
      pairs[to] = pairs[at];
      pairs[to + 1] = here ? text : pairs[at + 1];
      found ||= here;
      to += 2;
    }
    pairs.length = to;
    if (!found) rawAdd(this, valid, text);
  }

  static {
    // Sorted by name, values of one name joined; each cookie stays one of its own.
    iterable(this, 'Headers', (headers) => {
      if (headers.#sorted !== undefined) return headers.#sorted;
      const pairs = headers.#list;
      const order = list();
      for (let at = 0; at < pairs.length; at += 2) order[at / 2] = { __proto__: null, name: pairs[at], value: pairs[at + 1] };
      ArraySort(order, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
      const sorted = list();
      for (let i = 0; i < order.length; i++) {
        const { name, value } = order[i];
        const last = sorted.length - 2;
        if (last >= 0 && sorted[last] === name && name !== 'set-cookie') sorted[last + 1] = sorted[last + 1] + ', ' + value;
        else {
          sorted[last + 2] = name;
          sorted[last + 3] = value;
        }
      }
      headers.#sorted = sorted;
      return sorted;
    });
  }
}
