
// Bodies. One is `undefined` (null in the web's words) or { value, pull, stream, used }: `value` is a text or bytes that nobody writes
// to, `pull` is what the host hands over piece by piece, `stream` is there once code has asked for it or has brought it. As long as the
// stream is untouched, `value` and `pull` are read past it.

const newBody = (value, pull, stream) => ({ __proto__: null, value, pull, stream, used: false });

const streamOfBody = (body) => {
  if (body.stream === undefined) {
    body.stream = need('streams').streamOf(body);
    if (body.used) need('streams').spend(body.stream);
  }
  return body.stream;
};

const wasUsed = (body) => body !== undefined && (body.stream === undefined ? body.used : have('streams').isDisturbed(body.stream));
const unusable = (body) => wasUsed(body) || (body !== undefined && body.stream !== undefined && have('streams').isLocked(body.stream));

const refuseUsed = (what) =>
  new TypeError(what + ' was read already, or is being read: a body can be read once, clone() before that gives a second one');

/** Takes the content of a body that is usable. Whether `value` or `pull` hold it; otherwise it must be read from the stream. */
const take = (body) => {
  body.used = true;
  if (body.stream === undefined) return true;
  if (have('streams').directOf(body.stream) === undefined) return false;
  have('streams').spend(body.stream);
  return true;
};

const notBytes = () => new TypeError('A stream that is a body hands over Uint8Array, nothing else: encode texts with a TextEncoder');

const tooLarge = (max) => {
  const error = new Error('The body is larger than ' + string(max) + ' bytes: read it piece by piece from `body`');
  put(error, 'code', 'EXTENSION_PAYLOAD_TOO_LARGE');
  put(error, 'status', 413);
  return error;
};

/** All of a body, as a text or bytes. Only bytes that aren't its `value` belong to the caller. */
const readAll = async (body, what) => {
  if (body === undefined) return '';
  if (unusable(body)) throw refuseUsed(what);
  const chunks = list();
  if (take(body)) {
    if (body.value !== undefined) return body.value;
    const max = body.pull.max;
    for (let size = 0; ;) {
      const chunk = await body.pull.pull();
      if (chunk === undefined) break;
      size += TypedArrayByteLength(chunk);
      if (max !== undefined && size > max) {
        body.pull.cancel();
        throw tooLarge(max);
      }
      chunks[chunks.length] = chunk;
    }
    return chunks.length === 1 ? chunks[0] : concat(chunks);
  }
  const reader = have('streams').reader(body.stream);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (!isBytes(value)) {
      const error = notBytes();
      reader.cancel(error);
      throw error;
    }
    // The sender may use its buffer again.
    chunks[chunks.length] = copy(viewOf(value));
  }
  return chunks.length === 1 ? chunks[0] : concat(chunks);
};

const ownBytes = (data, body) => (typeof data === 'string' ? encode(data) : data === body.value ? copy(data) : data);

const newBoundary = () => {
  let digits = '';
  for (let i = 0; i < 4; i++) digits += StringSlice(string(native.random()), 2, 10);
  return '----form-' + digits;
};

/** A body of a value that the web knows more than its text of, with its content type; `undefined` for any other. */
const special = (value) => {
  if (!isObject(value)) return undefined;
  const streams = have('streams');
  if (streams !== undefined && streams.isReadable(value)) {
    if (streams.isDisturbed(value) || streams.isLocked(value)) {
      throw new TypeError('The stream is locked or was read from: it can not be a body');
    }
    const direct = streams.directOf(value);
    return { __proto__: null, body: newBody(direct?.value, direct?.pull, value), type: undefined };
  }
  const forms = have('forms');
  if (forms !== undefined && forms.isBlob(value)) {
    return { __proto__: null, body: newBody(forms.bytesOf(value)), type: forms.typeOf(value) || undefined };
  }
  if (forms !== undefined && forms.isForm(value)) {
    let boundary;
    let bytes;
    // What a value holds may be known to somebody who guesses: a boundary that stands in one is no boundary.
    do {
      boundary = newBoundary();
      bytes = forms.formBytes(value, boundary);
    } while (bytes === undefined);
    return { __proto__: null, body: newBody(bytes), type: 'multipart/form-data; boundary=' + boundary };
  }
  const url = have('url');
  if (url !== undefined && url.isParams(value)) {
    return { __proto__: null, body: newBody(url.paramsText(value)), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  const view = viewOf(value);
  return view && { __proto__: null, body: newBody(copy(view)), type: undefined };
};

const TEXT = 'text/plain;charset=UTF-8';
const extract = (value) => special(value) ?? { __proto__: null, body: newBody(usv(value)), type: TEXT };

const cloneBody = (body) => {
  if (body === undefined) return undefined;
  if (unusable(body)) throw refuseUsed('The body');
  if (body.value !== undefined && (body.stream === undefined || have('streams').directOf(body.stream))) return newBody(body.value);
  const two = need('streams').teeForClone(streamOfBody(body));
  body.stream = two.first;
  body.pull = undefined;
  body.value = undefined;
  return newBody(undefined, undefined, two.second);
};

/** Gives a class `body`, `bodyUsed` and the methods that read it. `stateOf(object)` has the `body` and the `headers`. */
const withBody = (Class, stateOf) => {
  const read = (self) => readAll(stateOf(self).body, 'The body');
  const methods = {
    get body() {
      const { body } = stateOf(this);
      return body === undefined ? null : streamOfBody(body);
    },
    get bodyUsed() { return wasUsed(stateOf(this).body); },
    async text() { return textOf(await read(this)); },
    async json() {
      const data = await read(this);
      return typeof data === 'string' ? JSONParse(textOf(data)) : parseJson(data);
    },
    async arrayBuffer() { return TypedArrayBuffer(ownBytes(await read(this), stateOf(this).body)); },
    async bytes() { return ownBytes(await read(this), stateOf(this).body); },
    async blob() {
      const data = await read(this);
      return need('forms').blobOf(typeof data === 'string' ? encode(data) : data, rawGet(stateOf(this).headers, 'content-type') ?? '');
    },
    async formData() {
      const type = mime(rawGet(stateOf(this).headers, 'content-type') ?? '');
      return need('forms').readForm(await read(this), type[0], type[1]);
    },
  };
  const names = ObjectKeys(methods);
  for (let i = 0; i < names.length; i++) {
    const property = kit.ObjectGetOwnPropertyDescriptor(methods, names[i]);
    property.enumerable = false;
    ObjectDefineProperty(Class.prototype, names[i], property);
  }
};
