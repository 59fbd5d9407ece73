// Blob, File and FormData.
(native, kit, need) => {
'use strict';
const { ArrayPrototype, DateNow, MathTrunc, ObjectSetPrototypeOf, SymbolIterator, TypedArrayBuffer, TypedArrayByteLength,
  TypedArrayByteOffset, TypeError, Uint8Array, isObject } = kit;
const { web, list, string, usv, viewOf, textOf, tag, few, options, iterable, seen, setPair } = need('common');
const { blobType, concat, copy, decode, multipartRead, multipartWrite } = web;

let isBlob;
let bytesOf;
let typeOfBlob;
let blobOf;
let fill;

class Blob {
  /** Never handed out and never written to, so that slices and clones may share it. */
  #bytes;
  #type;

  static {
    isBlob = (value) => isObject(value) && #bytes in value;
    bytesOf = (blob) => blob.#bytes;
    typeOfBlob = (blob) => blob.#type;
    fill = (blob, bytes, type) => {
      blob.#bytes = bytes;
      blob.#type = blobType(type);
    };
    blobOf = (bytes, type) => {
      const blob = new Blob();
      fill(blob, bytes, type);
      return blob;
    };
  }

  constructor(parts, init) {
    const data = list();
    if (parts !== undefined) {
      if (!isObject(parts) || typeof parts[SymbolIterator] !== 'function') throw new TypeError('Blob takes its parts as an array');
      for (const part of parts) data[data.length] = isBlob(part) ? part.#bytes : viewOf(part) ?? usv(part);
    }
    const { endings, type } = options(init, 'Blob');
    if (endings !== undefined && endings !== 'native' && endings !== 'transparent') {
      throw new TypeError("Blob: endings is 'transparent' or 'native'");
    }
    this.#bytes = concat(data, endings === 'native');
    this.#type = type === undefined ? '' : blobType(string(type));
  }

  get size() { return TypedArrayByteLength(this.#bytes); }
  get type() { return this.#type; }
  async text() { return textOf(this.#bytes); }
  async arrayBuffer() { return TypedArrayBuffer(copy(this.#bytes)); }
  async bytes() { return copy(this.#bytes); }
  stream() { return need('streams').streamOf({ __proto__: null, value: this.#bytes, pull: undefined }); }

  slice(start, end, type) {
    const size = TypedArrayByteLength(this.#bytes);
    const place = (value, otherwise) => {
      if (value === undefined) return otherwise;
      const at = MathTrunc(+value) || 0;
      return at < 0 ? (size + at > 0 ? size + at : 0) : at < size ? at : size;
    };
    const from = place(start, 0);
    const to = place(end, size);
    const view = new Uint8Array(TypedArrayBuffer(this.#bytes), TypedArrayByteOffset(this.#bytes) + from, to > from ? to - from : 0);
    return blobOf(view, type === undefined ? '' : string(type));
  }
}
tag(Blob, 'Blob');

let isFile;
let nameOf;
let modifiedOf;

class File extends Blob {
  #name;
  #lastModified;
  constructor(parts, name, init) {
    few(arguments.length, 2, 'File');
    super(parts, init);
    const { lastModified } = options(init, 'File');
    this.#name = usv(name);
    this.#lastModified = lastModified === undefined ? DateNow() : MathTrunc(+lastModified) || 0;
  }
  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }
  get webkitRelativePath() { return this.#name && ''; }
  static {
    isFile = (value) => isObject(value) && #name in value;
    nameOf = (file) => file.#name;
    modifiedOf = (file) => file.#lastModified;
  }
}
tag(File, 'File');

const fileOf = (bytes, name, type, lastModified) => {
  const file = new File(undefined, name, { __proto__: null, lastModified });
  fill(file, bytes, type);
  return file;
};

let isForm;
let pairsOfForm;
let formBytes;
let formOf;

class FormData {
  #list = list();

  static {
    isForm = (value) => isObject(value) && #list in value;
    pairsOfForm = (form) => form.#list;
    formOf = (pairs) => {
      const form = new FormData();
      form.#list = pairs;
      return form;
    };
    formBytes = (form, boundary) => {
      const pairs = form.#list;
      const parts = list();
      for (let at = 0; at < pairs.length; at += 2) {
        const value = pairs[at + 1];
        const next = parts.length;
        parts[next] = pairs[at];
        parts[next + 1] = isFile(value) ? nameOf(value) : undefined;
        parts[next + 2] = isFile(value) ? typeOfBlob(value) || 'application/octet-stream' : '';
        parts[next + 3] = isFile(value) ? bytesOf(value) : value;
      }
      return multipartWrite(parts, boundary);
    };
  }

  constructor(form) {
    if (form !== undefined) throw new TypeError('FormData takes no argument: there is no form element to read');
  }

  static #value(value, filename, count) {
    if (!isBlob(value)) {
      if (count > 2) throw new TypeError('FormData: only a Blob has a file name');
      return usv(value);
    }
    if (isFile(value) && filename === undefined) return value;
    const name = filename === undefined ? 'blob' : usv(filename);
    return fileOf(bytesOf(value), name, typeOfBlob(value), isFile(value) ? modifiedOf(value) : undefined);
  }

  append(name, value, filename) {
    const pairs = this.#list;
    few(arguments.length, 2, 'FormData.append');
    const text = usv(name);
    const entry = FormData.#value(value, filename, arguments.length);
    pairs[pairs.length] = text;
    pairs[pairs.length] = entry;
  }

  set(name, value, filename) {
    const pairs = this.#list;
    few(arguments.length, 2, 'FormData.set');
    const text = usv(name);
    const entry = FormData.#value(value, filename, arguments.length);
    setPair(pairs, text, entry);
  }

  delete(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'FormData.delete');
    const text = usv(name);
    let to = 0;
    for (let at = 0; at < pairs.length; at += 2) {
      if (pairs[at] === text) continue;
      pairs[to] = pairs[at];
      pairs[to + 1] = pairs[at + 1];
      to += 2;
    }
    pairs.length = to;
  }

  get(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'FormData.get');
    const text = usv(name);
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === text) return pairs[at + 1];
    return null;
  }

  getAll(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'FormData.getAll');
    const text = usv(name);
    const found = list();
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === text) found[found.length] = pairs[at + 1];
    return ObjectSetPrototypeOf(found, ArrayPrototype);
  }

  has(name) {
    const pairs = this.#list;
    few(arguments.length, 1, 'FormData.has');
    const text = usv(name);
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at] === text) return true;
    return false;
  }

  static {
    iterable(this, 'FormData', (form) => form.#list);
  }
}

/** The form in a body of the given content type; throws where it can't be read. */
const readForm = (data, essence, boundary) => {
  const pairs = list();
  if (essence === 'application/x-www-form-urlencoded') {
    const flat = web.formParse(typeof data === 'string' ? data : decode('utf-8', data, false));
    for (let i = 0; i < flat.length; i++) pairs[i] = flat[i];
    return formOf(pairs);
  }
  if (essence !== 'multipart/form-data') {
    const known = 'multipart/form-data or application/x-www-form-urlencoded';
    throw new TypeError('The body is no form: its content-type is ' + (essence === '' ? 'missing' : essence) + ', not ' + known);
  }
  if (boundary === undefined) throw new TypeError('The body is no form: its content-type names no boundary');
  const flat = multipartRead(typeof data === 'string' ? web.encode(data) : data, boundary);
  if (flat === undefined) throw new TypeError('The body is not valid multipart/form-data');
  for (let at = 0; at < flat.length; at += 4) {
    pairs[pairs.length] = flat[at];
    pairs[pairs.length] = flat[at + 1] === undefined ? flat[at + 3] : fileOf(flat[at + 3], flat[at + 1], flat[at + 2]);
  }
  return formOf(pairs);
};

/** A Blob or a File that has the same content. */
const cloneBlob = (blob) =>
  (isFile(blob) ? fileOf(bytesOf(blob), nameOf(blob), typeOfBlob(blob), modifiedOf(blob)) : blobOf(bytesOf(blob), typeOfBlob(blob)));

const shown = (value) => {
  if (isForm(value)) return seen('FormData', undefined, pairsOfForm(value));
  if (!isBlob(value)) return undefined;
  const size = TypedArrayByteLength(bytesOf(value));
  const type = typeOfBlob(value);
  return isFile(value) ? seen('File', { __proto__: null, name: nameOf(value), size, type }) : seen('Blob', { __proto__: null, size, type });
};

return { __proto__: null, Blob, File, FormData, cloneBlob, shown, isBlob, bytesOf, blobOf, typeOf: typeOfBlob, isForm, formBytes, readForm };
}
