// URL and URLSearchParams. Parsing is the host's; what is kept here are the parts of the result.
(native, kit, need) => {
'use strict';
const { ArraySort, ObjectSetPrototypeOf, StringCharCodeAt, StringSlice, TypeError, isObject } = kit;
const { web, list, usv, tag, few, eachPair, iterable, seen, setPair } = need('common');
const { formParse, formWrite, urlParse, urlSet } = web;

// The order in which the host answers the parts of a URL.
const HREF = 0;
const ORIGIN = 1;
const PROTOCOL = 2;
const USERNAME = 3;
const PASSWORD = 4;
const HOST = 5;
const HOSTNAME = 6;
const PORT = 7;
const PATHNAME = 8;
const SEARCH = 9;
const HASH = 10;

const parsed = (text) => ObjectSetPrototypeOf(formParse(text), null);
const withoutMark = (text) => (StringCharCodeAt(text, 0) === 63 ? StringSlice(text, 1) : text);

let isParams;
let pairsOf;
let paramsText;
let refill;
let attach;

class URLSearchParams {
  #list;
  #changed;

  static {
    isParams = (value) => isObject(value) && #list in value;
    pairsOf = (params) => params.#list;
    paramsText = (params) => formWrite(params.#list);
    refill = (params, search) => {
      params.#list = parsed(withoutMark(search));
    };
    attach = (params, changed) => {
      params.#changed = changed;
    };
  }

  constructor(init = '') {
    const pairs = list();
    const add = (name, value) => {
      const text = usv(name);
      pairs[pairs.length] = text;
      pairs[pairs.length] = usv(value);
    };
    if (!isObject(init)) this.#list = parsed(withoutMark(usv(init)));
    else {
      if (#list in init) for (let i = 0; i < init.#list.length; i++) pairs[i] = init.#list[i];
      else eachPair(init, 'URLSearchParams', add);
      this.#list = pairs;
    }
  }

  get size() { return this.#list.length / 2; }

  append(name, value) {
    const pairs = this.#list;
    few(arguments.length, 2, 'URLSearchParams.append');
    const text = usv(name);
    const other = usv(value);
    pairs[pairs.length] = text;
    pairs[pairs.length] = other;
    this.#changed?.(formWrite(pairs));
  }

  delete(name, value) {
    const pairs = this.#list;
    few(arguments.length, 1, 'URLSearchParams.delete');
    const text = usv(name);
    const other = value === undefined ? undefined : usv(value);
    let to = 0;
    for (let at = 0; at < pairs.length; at += 2) {
      if (pairs[at] === text && (other === undefined || pairs[at + 1] === other)) continue;
      pairs[to] = pairs[at];
      pairs[to + 1] = pairs[at + 1];
      to += 2;
    }
    pairs.length = to;
    this.#changed?.(formWrite(pairs));
  }

  get(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'URLSearchParams.get');
    const text = usv(name);
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === text) return pairs[at + 1];
    return null;
  }

  getAll(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'URLSearchParams.getAll');
    const text = usv(name);
    const found = list();
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === text) found[found.length] = pairs[at + 1];
    return ObjectSetPrototypeOf(found, kit.ArrayPrototype);
  }

  has(name, value) {
    const pairs = this.#list;
    few(arguments.length, 1, 'URLSearchParams.has');
    const text = usv(name);
    const other = value === undefined ? undefined : usv(value);
    for (let at = 0; at < pairs.length; at += 2) {
      if (pairs[at] === text && (other === undefined || pairs[at + 1] === other)) return true;
    }
    return false;
  }

  set(name, value) {
    const pairs = this.#list;
    few(arguments.length, 2, 'URLSearchParams.set');
    const text = usv(name);
    const other = usv(value);
    setPair(pairs, text, other);
    this.#changed?.(formWrite(pairs));
  }

  sort() {
    const pairs = this.#list;
    const order = list();
    for (let at = 0; at < pairs.length; at += 2) order[at / 2] = { __proto__: null, name: pairs[at], value: pairs[at + 1] };
    ArraySort(order, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    for (let i = 0; i < order.length; i++) {
      pairs[2 * i] = order[i].name;
      pairs[2 * i + 1] = order[i].value;
    }
    this.#changed?.(formWrite(pairs));
  }

  toString() { return formWrite(this.#list); }

  static {
    iterable(this, 'URLSearchParams', (params) => params.#list);
  }
}

const invalid = (text, base) => {
  const shown = text.length > 200 ? StringSlice(text, 0, 200) + '…' : text;
  if (base !== undefined && urlParse(base) === undefined) {
    return new TypeError('Invalid URL: the base is not an absolute URL: ' + StringSlice(base, 0, 200));
  }
  return new TypeError('Invalid URL: ' + shown);
};

let isUrl;
let hrefOf;

class URL {
  #parts;
  #params;

  static {
    isUrl = (value) => isObject(value) && #parts in value;
    hrefOf = (url) => url.#parts[HREF];
  }

  constructor(url, base) {
    few(arguments.length, 1, 'URL');
    const text = usv(url);
    const under = base === undefined ? undefined : usv(base);
    this.#parts = urlParse(text, under);
    if (this.#parts === undefined) throw invalid(text, under);
  }

  static canParse(url, base) {
    few(arguments.length, 1, 'URL.canParse');
    return urlParse(usv(url), base === undefined ? undefined : usv(base)) !== undefined;
  }

  static parse(url, base) {
    few(arguments.length, 1, 'URL.parse');
    const text = usv(url);
    const under = base === undefined ? undefined : usv(base);
    return urlParse(text, under) === undefined ? null : new URL(text, under);
  }

  #set(part, value) {
    this.#parts = urlSet(this.#parts[HREF], part, usv(value)) ?? this.#parts;
  }

  get href() { return this.#parts[HREF]; }
  set href(value) {
    const text = usv(value);
    const parts = urlParse(text);
    if (parts === undefined) throw invalid(text);
    this.#parts = parts;
    if (this.#params !== undefined) refill(this.#params, parts[SEARCH]);
  }
  get origin() { return this.#parts[ORIGIN]; }
  get protocol() { return this.#parts[PROTOCOL]; }
  set protocol(value) { this.#set(PROTOCOL, value); }
  get username() { return this.#parts[USERNAME]; }
  set username(value) { this.#set(USERNAME, value); }
  get password() { return this.#parts[PASSWORD]; }
  set password(value) { this.#set(PASSWORD, value); }
  get host() { return this.#parts[HOST]; }
  set host(value) { this.#set(HOST, value); }
  get hostname() { return this.#parts[HOSTNAME]; }
  set hostname(value) { this.#set(HOSTNAME, value); }
  get port() { return this.#parts[PORT]; }
  set port(value) { this.#set(PORT, value); }
  get pathname() { return this.#parts[PATHNAME]; }
  set pathname(value) { this.#set(PATHNAME, value); }
  get search() { return this.#parts[SEARCH]; }
  set search(value) {
    const text = usv(value);
    this.#set(SEARCH, text);
    if (this.#params !== undefined) refill(this.#params, text);
  }
  get hash() { return this.#parts[HASH]; }
  set hash(value) { this.#set(HASH, value); }

  get searchParams() {
    const parts = this.#parts;
    if (this.#params === undefined) {
      const params = new URLSearchParams();
      refill(params, parts[SEARCH]);
      attach(params, (text) => this.#set(SEARCH, text));
      this.#params = params;
    }
    return this.#params;
  }

  toString() { return this.#parts[HREF]; }
  toJSON() { return this.#parts[HREF]; }
}
tag(URL, 'URL');

/** The normalised text of an absolute URL and whether it names a user; `undefined` if it is none. */
const absolute = (text) => {
  const parts = urlParse(text);
  return parts && { __proto__: null, href: parts[HREF], credentials: parts[USERNAME] !== '' || parts[PASSWORD] !== '' };
};

const shown = (value) => {
  if (isParams(value)) return seen('URLSearchParams', undefined, pairsOf(value));
  return isUrl(value) ? seen('URL', { __proto__: null, href: hrefOf(value) }) : undefined;
};

return { __proto__: null, URL, URLSearchParams, isParams, paramsText, absolute, shown };
}
