
const methodsInCapitals = { __proto__: null, DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1 };
const methodsRefused = { __proto__: null, CONNECT: 1, TRACE: 1, TRACK: 1 };
// The words that these options of a request take. What they steer in a browser isn't there; they are kept and shown.
const words = {
  __proto__: null,
  redirect: { __proto__: null, follow: 1, error: 1, manual: 1 },
  credentials: { __proto__: null, omit: 1, 'same-origin': 1, include: 1 },
  cache: { __proto__: null, default: 1, 'no-store': 1, reload: 1, 'no-cache': 1, 'force-cache': 1, 'only-if-cached': 1 },
  mode: { __proto__: null, 'same-origin': 1, 'no-cors': 1, cors: 1 },
};
const wordNames = ['redirect', 'credentials', 'cache', 'mode'];

const methodOf = (value) => {
  const text = string(value);
  const upper = StringToUpperCase(text);
  if (!isToken(text) || upper in methodsRefused) throw new TypeError('Not a method for a request: ' + shown(text));
  return upper in methodsInCapitals ? upper : text;
};

/** Refuses a body for the methods that have none. */
const refuseEmpty = (method) => {
  if (method === 'GET' || method === 'HEAD') throw new TypeError('A request with the method ' + method + ' has no body');
};

let isRequest;
let requestOf;

class Request {
  #state;

  static {
    isRequest = (value) => isObject(value) && #state in value;
    requestOf = (request) => request.#state;
  }

  constructor(input, init) {
    if (input === OWN) {
      this.#state = init;
      return;
    }
    few(arguments.length, 1, 'Request');
    const given = options(init, 'Request');
    const from = isRequest(input) ? input.#state : undefined;
    const state = {
      __proto__: null, method: 'GET', url: '', redirect: 'follow', credentials: 'same-origin', cache: 'default', mode: 'cors',
      integrity: '', keepalive: false, headers: undefined, body: undefined, signal: undefined,
    };
    if (from === undefined) {
      const text = usv(input);
      const url = need('url').absolute(text);
      if (url === undefined) throw new TypeError('Request takes an absolute URL: ' + shown(text));
      if (url.credentials) throw new TypeError('Request takes a URL without user and password: send them as an authorization header');
      state.url = url.href;
    } else {
      for (const name in from) state[name] = from[name];
      state.body = undefined;
    }
    for (let i = 0; i < wordNames.length; i++) {
      const name = wordNames[i];
      const value = given[name];
      if (value === undefined) continue;
      const text = string(value);
      if (!(text in words[name])) throw new TypeError('Request: ' + name + ' does not take ' + shown(text));
      state[name] = text;
    }
    if (given.integrity !== undefined) state.integrity = string(given.integrity);
    if (given.keepalive !== undefined) state.keepalive = !!given.keepalive;
    if (given.method !== undefined) state.method = methodOf(given.method);
    const { signal } = given;
    if (signal === undefined) state.signal = followed(from);
    else if (signal === null) state.signal = undefined;
    else if (have('events')?.isSignal(signal)) state.signal = need('events').follow(signal);
    else throw new TypeError('Request: signal is an AbortSignal');

    const headers = given.headers;
    if (headers !== undefined) state.headers = new Headers(headers);
    else state.headers = new Headers(OWN, copyList(from === undefined ? list() : rawOf(from.headers)), false);

    const content = given.body;
    if (content !== undefined && content !== null) {
      refuseEmpty(state.method);
      const { body, type } = extract(content);
      state.body = body;
      if (type !== undefined && rawGet(state.headers, 'content-type') === null) rawAdd(state.headers, 'content-type', type);
    } else if (content === undefined && from !== undefined && from.body !== undefined) {
      refuseEmpty(state.method);
      if (unusable(from.body)) throw refuseUsed('The body of the request');
      // Moved: the request that it came from has been read by this.
      state.body = moveBody(from.body);
    }
    this.#state = state;
  }

  get method() { return this.#state.method; }
  get url() { return this.#state.url; }
  get headers() { return this.#state.headers; }
  get destination() { return this.#state && ''; }
  get referrer() { return this.#state && 'about:client'; }
  get referrerPolicy() { return this.#state && ''; }
  get mode() { return this.#state.mode; }
  get credentials() { return this.#state.credentials; }
  get cache() { return this.#state.cache; }
  get redirect() { return this.#state.redirect; }
  get integrity() { return this.#state.integrity; }
  get keepalive() { return this.#state.keepalive; }
  get duplex() { return this.#state && 'half'; }
  get signal() { return signalOf(this.#state); }

  clone() {
    const from = this.#state;
    const body = cloneBody(from.body);
    const state = { __proto__: null };
    for (const name in from) state[name] = from[name];
    state.headers = new Headers(OWN, copyList(rawOf(from.headers)), false);
    state.body = body;
    state.signal = followed(from);
    return new Request(OWN, state);
  }
}
withBody(Request, requestOf);
tag(Request, 'Request');

/** The signal of a request, made when it is first asked for. The host may have given a function that makes it. */
const signalOf = (state) => {
  const { signal } = state;
  if (signal === undefined) state.signal = need('events').follow(undefined);
  else if (typeof signal === 'function') state.signal = signal();
  return state.signal;
};

/** The signal of a request made from another: it follows that one's, if that can ever fire. */
const followed = (from) => (from === undefined || from.signal === undefined ? undefined : () => need('events').follow(signalOf(from)));

const copyList = (pairs) => {
  const copied = list();
  for (let i = 0; i < pairs.length; i++) copied[i] = pairs[i];
  return copied;
};

const moveBody = (body) => {
  if (body.stream === undefined) {
    body.used = true;
    return newBody(body.value, body.pull);
  }
  const streams = need('streams');
  const direct = streams.directOf(body.stream);
  if (direct !== undefined) {
    streams.spend(body.stream);
    return newBody(direct.value, direct.pull);
  }
  return newBody(undefined, undefined, streams.moved(body.stream));
};

const emptyStatuses = { __proto__: null, 101: 1, 103: 1, 204: 1, 205: 1, 304: 1 };
const redirects = { __proto__: null, 301: 1, 302: 1, 303: 1, 307: 1, 308: 1 };

const unsignedShort = (value) => {
  const number = MathTrunc(+value);
  // What is not finite is 0.
  return number - number === 0 ? ((number % 65536) + 65536) % 65536 : 0;
};

let isResponse;
let responseOf;

class Response {
  #state;

  static {
    isResponse = (value) => isObject(value) && #state in value;
    responseOf = (response) => response.#state;
  }

  constructor(body = null, init = undefined) {
    if (body === OWN) {
      this.#state = init;
      return;
    }
    const content = body === null ? undefined : extract(body);
    this.#state = Response.#make(content, init);
  }

  static #make(content, init) {
    const { headers, status: given, statusText: text } = options(init, 'Response');
    const status = given === undefined ? 200 : unsignedShort(given);
    if (status < 200 || status > 599) {
      throw new RangeError('The status of a Response is a number from 200 to 599: ' + shown(usv(given)));
    }
    const statusText = text === undefined ? '' : string(text);
    if (headerValue(statusText) === undefined) {
      throw new TypeError('The statusText of a Response may not hold line breaks or characters above U+00FF');
    }
    const state = newResponse(status, statusText, new Headers(headers));
    if (content !== undefined) {
      if (status in emptyStatuses) throw new TypeError('A Response with status ' + status + ' has no body: give null');
      state.body = content.body;
      if (content.type !== undefined && rawGet(state.headers, 'content-type') === null) rawAdd(state.headers, 'content-type', content.type);
    }
    return state;
  }

  static json(data, init) {
    few(arguments.length, 1, 'Response.json');
    const text = JSONStringify(data);
    if (text === undefined) throw new TypeError('Response.json takes a value that is JSON, not ' + typeof data);
    const content = { __proto__: null, body: newBody(kit.StringToWellFormed(text)), type: 'application/json' };
    return new Response(OWN, Response.#make(content, init));
  }

  static redirect(url, status = 302) {
    few(arguments.length, 1, 'Response.redirect');
    const text = usv(url);
    const target = need('url').absolute(text);
    if (target === undefined) {
      const instead = 'For a path use new Response(null, { status: 302, headers: { location } })';
      throw new TypeError('Response.redirect takes an absolute URL: ' + shown(text) + '. ' + instead);
    }
    const code = unsignedShort(status);
    if (!(code in redirects)) throw new RangeError('The status of a redirect is 301, 302, 303, 307 or 308: ' + shown(usv(status)));
    const pairs = list();
    pairs[0] = 'location';
    pairs[1] = target.href;
    return new Response(OWN, newResponse(code, '', new Headers(OWN, pairs, true)));
  }

  static error() {
    const state = newResponse(0, '', new Headers(OWN, list(), true));
    state.type = 'error';
    return new Response(OWN, state);
  }

  get type() { return this.#state.type; }
  get url() { return this.#state.url; }
  get redirected() { return this.#state.redirected; }
  get status() { return this.#state.status; }
  get ok() { return this.#state.status >= 200 && this.#state.status <= 299; }
  get statusText() { return this.#state.statusText; }
  get headers() { return this.#state.headers; }

  clone() {
    const from = this.#state;
    const body = cloneBody(from.body);
    const state = newResponse(from.status, from.statusText, new Headers(OWN, copyList(rawOf(from.headers)), from.type === 'error'));
    state.type = from.type;
    state.url = from.url;
    state.redirected = from.redirected;
    state.body = body;
    return new Response(OWN, state);
  }
}
withBody(Response, responseOf);
tag(Response, 'Response');

function newResponse(status, statusText, headers) {
  return { __proto__: null, type: 'default', url: '', redirected: false, status, statusText, headers, body: undefined };
}

// What the glue of a route uses.

const headersOf = (pairs) => {
  const flat = list();
  for (let i = 0; i < pairs.length; i++) {
    flat[2 * i] = headerName(pairs[i][0]) ?? pairs[i][0];
    flat[2 * i + 1] = pairs[i][1];
  }
  return new Headers(OWN, flat, false);
};

/** A request of the host's. `body` is null or { pull(), cancel() }, `signal` an AbortSignal, a function that makes one, or nothing. */
const request = ({ method, url, headers, body, signal }) =>
  new Request(OWN, {
    __proto__: null, method, url, redirect: 'follow', credentials: 'same-origin', cache: 'default', mode: 'cors', integrity: '',
    keepalive: false, headers: headersOf(headers), body: body ? newBody(undefined, body) : undefined, signal: signal ?? undefined,
  });

/** A response of the host's: to a fetch, for one. `body` is null, a text, bytes that are the response's own, or { pull(), cancel() }. */
const response = ({ status, statusText, headers, url, redirected, body }) => {
  const state = newResponse(status, statusText ?? '', headersOf(headers));
  state.type = 'basic';
  state.url = url ?? '';
  state.redirected = !!redirected;
  if (body !== null && body !== undefined) {
    state.body = typeof body === 'string' || isBytes(body) ? newBody(body) : newBody(undefined, body);
  }
  return new Response(OWN, state);
};

/** A body as it leaves: null, a text, bytes, or { read(), cancel(reason) }. */
const outgoing = (body, what) => {
  if (body === undefined) return null;
  if (unusable(body)) throw refuseUsed(what);
  if (take(body)) {
    if (body.value !== undefined) return body.value;
    const { pull } = body;
    return {
      __proto__: null,
      async read() {
        const value = await pull.pull();
        return { __proto__: null, done: value === undefined, value };
      },
      async cancel() { pull.cancel(); },
    };
  }
  const reader = have('streams').reader(body.stream);
  return {
    __proto__: null,
    async read() {
      const { done, value } = await reader.read();
      if (done) return { __proto__: null, done: true, value: undefined };
      if (!isBytes(value)) {
        const error = notBytes();
        reader.cancel(error);
        throw error;
      }
      return { __proto__: null, done: false, value: viewOf(value) };
    },
    async cancel(reason) { await reader.cancel(reason); },
  };
};

const answerOf = (status, type, body) => {
  const headers = list();
  if (type !== undefined) headers[0] = pair('content-type', type);
  return { __proto__: null, status, headers, body };
};
const pair = (name, value) => {
  const two = list();
  two[0] = name;
  two[1] = value;
  return two;
};

/** What a handler returned, as the host answers it. Throws where it can't be answered. */
const answer = (value) => {
  if (isResponse(value)) {
    const state = responseOf(value);
    if (state.type === 'error') throw new TypeError('Response.error() is no answer: give a Response with a status');
    const raw = rawOf(state.headers);
    const headers = list();
    for (let at = 0; at < raw.length; at += 2) headers[at / 2] = pair(raw[at], raw[at + 1]);
    return { __proto__: null, status: state.status, headers, body: outgoing(state.body, 'The body of the Response') };
  }
  if (value === undefined || value === null) return answerOf(204, undefined, null);
  if (typeof value === 'string') return answerOf(200, TEXT, usv(value));
  const content = special(value);
  if (content !== undefined) return answerOf(200, content.type ?? 'application/octet-stream', outgoing(content.body, 'The body of the Response'));
  const json = native.json(value, 'answer');
  return json === undefined ? answerOf(204, undefined, null) : answerOf(200, 'application/json', json);
};

/**
 * What `fetch(input, init)` asks for: { method, url, headers, redirect, signal, body }, `body` being null, bytes, or { read(), cancel() } of
 * a length that isn't known.
 */
const asked = (input, init) => {
  const given = init === undefined || init === null ? undefined : init;
  // A request whose body is moved here is read by this.
  const state = requestOf(new Request(input, given));
  const raw = rawOf(state.headers);
  const headers = list();
  for (let at = 0; at < raw.length; at += 2) headers[at / 2] = pair(raw[at], raw[at + 1]);
  const content = outgoing(state.body, 'The body of the request');
  const body = typeof content === 'string' ? encode(content) : content;
  // The one that was given, if one was: following it makes another, which nobody but us would hold.
  const signal = state.signal === undefined ? undefined : signalOf(state);
  return {
    __proto__: null, method: state.method, url: state.url, headers, redirect: state.redirect, signal, body,
    length: isBytes(body) ? TypedArrayByteLength(body) : undefined,
  };
};

/** Without headers: they may hold what belongs in no log. */
const seenAs = (value) => {
  if (isHeaders(value)) return seen('Headers', undefined, rawOf(value));
  if (isRequest(value)) return seen('Request', { __proto__: null, method: requestOf(value).method, url: requestOf(value).url });
  return isResponse(value) ? seen('Response', { __proto__: null, status: responseOf(value).status }) : undefined;
};

return {
  __proto__: null, shown: seenAs, asked, Headers, Request, Response, isHeaders, isRequest, isResponse, request, response, answer,
  signal: () => need('events').signal(),
};
}
