// CompressionStream and DecompressionStream. What a stream knows between two pieces lies outside of this heap, under a number.
(native, kit, need) => {
'use strict';
const { TypedArrayByteLength, TypeError, Uint8Array } = kit;
const { web, string, viewOf, tag, few } = need('common');
const { TransformStream } = need('streams');
const { codec, codecClose, codecEnd, codecStep } = web;

const formats = { __proto__: null, gzip: 1, deflate: 1, 'deflate-raw': 1 };
const none = new Uint8Array(0);

/** What the natives answer where something is wrong is a text. */
const checked = (result, id) => {
  if (typeof result !== 'string') return result;
  codecClose(id);
  throw new TypeError(result);
};

const make = (format, decompresses, name) => {
  const text = string(format);
  if (!(text in formats)) throw new TypeError(name + " knows the formats 'gzip', 'deflate' and 'deflate-raw', not " + text);
  // With the first piece: a stream that is made and never used holds nothing.
  let id;
  const begin = () => {
    if (id !== undefined) return;
    id = codec(text, decompresses);
    if (typeof id === 'string') throw new TypeError(id);
  };
  const step = (bytes, at, controller) => {
    const made = checked(codecStep(id, bytes, at), id);
    if (TypedArrayByteLength(made[1]) > 0) controller.enqueue(made[1]);
    return made;
  };
  return new TransformStream({
    __proto__: null,
    transform(chunk, controller) {
      const bytes = viewOf(chunk);
      if (bytes === undefined) throw new TypeError(name + ' takes an ArrayBuffer or a view on one');
      begin();
      for (let at = 0; at < TypedArrayByteLength(bytes);) at += step(bytes, at, controller)[0];
      while (TypedArrayByteLength(step(none, 0, controller)[1]) > 0);
    },
    flush(controller) {
      begin();
      for (;;) {
        const last = checked(codecEnd(id), id);
        if (TypedArrayByteLength(last) === 0) break;
        controller.enqueue(last);
      }
      codecClose(id);
    },
    cancel() {
      if (id !== undefined) codecClose(id);
    },
  });
};

class CompressionStream {
  #stream;
  constructor(format) {
    few(arguments.length, 1, 'CompressionStream');
    this.#stream = make(format, false, 'CompressionStream');
  }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}
tag(CompressionStream, 'CompressionStream');

class DecompressionStream {
  #stream;
  constructor(format) {
    few(arguments.length, 1, 'DecompressionStream');
    this.#stream = make(format, true, 'DecompressionStream');
  }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}
tag(DecompressionStream, 'DecompressionStream');

return { __proto__: null, CompressionStream, DecompressionStream };
}
