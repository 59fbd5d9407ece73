// TextEncoder and TextDecoder.
(native, kit, need) => {
'use strict';
const { RangeError, StringCharCodeAt, StringSlice, TypedArrayByteLength, TypedArraySet, TypeError, Uint8Array, isObject } = kit;
const { web, string, usv, viewOf, tag, few, options, seen } = need('common');
const { concat, decode, encode, encodeInto, encoding, isBytes, unfinished } = web;

class TextEncoder {
  #own = true;
  get encoding() { return this.#own && 'utf-8'; }

  encode(text = '') {
    this.#own;
    return encode(string(text));
  }

  encodeInto(source, destination) {
    this.#own;
    few(arguments.length, 2, 'TextEncoder.encodeInto');
    const text = string(source);
    if (!isBytes(destination)) throw new TypeError('TextEncoder.encodeInto writes into a Uint8Array');
    const done = encodeInto(text, TypedArrayByteLength(destination));
    TypedArraySet(destination, done[1]);
    return { read: done[0], written: TypedArrayByteLength(done[1]) };
  }
}
tag(TextEncoder, 'TextEncoder');

const nothing = new Uint8Array(0);
const view = (buffer, from, length) => new Uint8Array(kit.TypedArrayBuffer(buffer), kit.TypedArrayByteOffset(buffer) + from, length);

/** Whether a text in the encoding may begin with a byte order mark, which is no part of it. */
const hasMark = (name) => name === 'utf-8' || name === 'utf-16le' || name === 'utf-16be';

let nameOf;
let decodeMore;

class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  /** The end of what was decoded last, if that was in the middle of a character. */
  #left = nothing;
  #begun = false;

  static {
    nameOf = (value) => (isObject(value) && #encoding in value ? value.#encoding : undefined);
    decodeMore = (decoder, input, init) => decoder.#decode(input, init);
  }

  constructor(label = 'utf-8', init) {
    const { fatal, ignoreBOM } = options(init, 'TextDecoder');
    const text = usv(label);
    const name = encoding(text);
    if (name === undefined) {
      throw new RangeError('TextDecoder does not know the encoding ' + StringSlice(text, 0, 100) + ': the labels are those of the Encoding Standard');
    }
    this.#encoding = name;
    this.#fatal = !!fatal;
    this.#ignoreBOM = !!ignoreBOM;
  }

  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }

  decode(input, init) {
    return this.#decode(input, init);
  }

  #decode(input, init) {
    const name = this.#encoding;
    const stream = !!options(init, 'TextDecoder.decode').stream;
    let bytes = input === undefined ? nothing : viewOf(input);
    if (bytes === undefined) throw new TypeError('TextDecoder.decode takes an ArrayBuffer or a view on one');
    if (TypedArrayByteLength(this.#left) > 0) {
      bytes = concat([this.#left, bytes]);
      this.#left = nothing;
    }
    if (stream) {
      const length = TypedArrayByteLength(bytes);
      const open = unfinished(name, bytes);
      if (open > 0) {
        this.#left = concat([view(bytes, length - open, open)]);
        bytes = view(bytes, 0, length - open);
      }
    }
    let text = decode(name, bytes, this.#fatal);
    if (text === undefined) {
      this.#left = nothing;
      this.#begun = false;
      throw new TypeError('The data is not valid ' + name);
    }
    if (!this.#begun && !this.#ignoreBOM && hasMark(name) && StringCharCodeAt(text, 0) === 0xFEFF) {
      text = StringSlice(text, 1);
      this.#begun = true;
    }
    this.#begun = stream && (this.#begun || text !== '');
    return text;
  }
}
tag(TextDecoder, 'TextDecoder');

const shown = (value) => {
  const encoding = nameOf(value);
  return encoding === undefined ? undefined : seen('TextDecoder', { __proto__: null, encoding });
};

return { __proto__: null, shown, TextDecoder, TextEncoder, decode: decodeMore };
}
