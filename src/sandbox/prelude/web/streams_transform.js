
// A transform: { readable, writable, backpressure, change, transform, flush, cancel, finish }.

const setBackpressure = (stream, backpressure) => {
  stream.change?.resolve();
  stream.change = pending();
  stream.backpressure = backpressure;
};

const unblockWrite = (stream) => {
  if (stream.backpressure) setBackpressure(stream, false);
};

const forgetTransform = (stream) => {
  stream.transform = stream.flush = stream.cancel = () => resolved;
};

const errorWritableAndUnblock = (stream, error) => {
  forgetTransform(stream);
  if (stream.writable.state === 'writable') startErroring(stream.writable, error);
  unblockWrite(stream);
};

const errorTransform = (stream, error) => {
  errorStream(stream.readable.control, error);
  errorWritableAndUnblock(stream, error);
};

const enqueueTransformed = (stream, chunk) => {
  const controller = stream.readable.control;
  if (!canEnqueue(controller)) throw new TypeError('The readable side of the transform is closed');
  try {
    enqueueChunk(controller, chunk);
  } catch (error) {
    errorWritableAndUnblock(stream, error);
    throw stream.readable.error;
  }
  const full = !controller.started || !(requestsOf(stream.readable) || desired(controller) > 0);
  if (full !== stream.backpressure) setBackpressure(stream, true);
};

const terminate = (stream) => {
  const controller = stream.readable.control;
  if (canEnqueue(controller)) closeController(controller);
  errorWritableAndUnblock(stream, new TypeError('The transform was terminated'));
};

/** Runs what ends a transform, once: flush, cancel or abort, whichever comes first. */
const finishOnce = (stream, action, done) => {
  if (stream.finish !== undefined) return stream.finish.promise;
  const finish = pending();
  stream.finish = finish;
  quiet(finish.promise);
  const promise = action();
  forgetTransform(stream);
  PromiseThen(promise, () => done(finish), (error) => {
    errorStream(stream.readable.control, error);
    errorWritableAndUnblock(stream, error);
    finish.reject(error);
  });
  return finish.promise;
};

const createTransform = (begun, transform, flush, cancel, writableLimits, readableLimits) => {
  const stream = {
    __proto__: null, readable: undefined, writable: undefined, backpressure: false, change: undefined, transform, flush, cancel,
    finish: undefined,
  };
  const run = (chunk) =>
    PromiseThen(stream.transform(chunk), noop, (error) => {
      errorTransform(stream, error);
      throw error;
    });
  const write = (chunk) => {
    if (!stream.backpressure) return run(chunk);
    return chain(stream.change.promise, () => {
      if (stream.writable.state === 'erroring') throw stream.writable.error;
      return run(chunk);
    });
  };
  const close = () =>
    finishOnce(stream, () => stream.flush(), (finish) => {
      if (stream.readable.state === 'errored') finish.reject(stream.readable.error);
      else {
        if (canEnqueue(stream.readable.control)) closeController(stream.readable.control);
        finish.resolve();
      }
    });
  const abort = (reason) =>
    finishOnce(stream, () => stream.cancel(reason), (finish) => {
      if (stream.readable.state === 'errored') finish.reject(stream.readable.error);
      else {
        errorStream(stream.readable.control, reason);
        finish.resolve();
      }
    });
  const cancelled = (reason) =>
    finishOnce(stream, () => stream.cancel(reason), (finish) => {
      if (stream.writable.state === 'errored') finish.reject(stream.writable.error);
      else {
        if (stream.writable.state === 'writable') startErroring(stream.writable, reason);
        unblockWrite(stream);
        finish.resolve();
      }
    });
  const pull = () => {
    setBackpressure(stream, false);
    return stream.change.promise;
  };
  stream.writable = createWritable(begun, write, close, abort, writableLimits.mark, sizeOf(writableLimits));
  stream.readable = newReadable();
  start(control(stream.readable, pull, cancelled, readableLimits.mark, sizeOf(readableLimits), false), begun);
  setBackpressure(stream, true);
  return stream;
};

let isTransform;

class TransformStream {
  #readable;
  #writable;

  static {
    isTransform = (value) => isObject(value) && #writable in value;
  }

  constructor(transformer, writableStrategy, readableStrategy) {
    if (transformer !== undefined && !isObject(transformer)) throw new TypeError('TransformStream takes its transformer as an object');
    const given = options(transformer, 'TransformStream');
    const cancel = methodOf(given, 'cancel', 'TransformStream');
    const flush = methodOf(given, 'flush', 'TransformStream');
    if (given.readableType !== undefined || given.writableType !== undefined) {
      throw new RangeError('TransformStream: a transformer has no types');
    }
    const begin = methodOf(given, 'start', 'TransformStream');
    const transform = methodOf(given, 'transform', 'TransformStream');
    const readableLimits = strategyOf(readableStrategy, 0);
    const writableLimits = strategyOf(writableStrategy, 1);
    const begun = pending();
    const stream = createTransform(begun.promise, () => resolved, () => resolved, () => resolved, writableLimits, readableLimits);
    const object = new TransformStreamDefaultController(OWN, stream);
    stream.transform = transform === undefined
      ? (chunk) => {
        try {
          enqueueTransformed(stream, chunk);
          return resolved;
        } catch (error) {
          return PromiseReject(error);
        }
      }
      : (chunk) => invoke(transform, transformer, [chunk, object]);
    if (flush !== undefined) stream.flush = () => invoke(flush, transformer, [object]);
    if (cancel !== undefined) stream.cancel = (reason) => invoke(cancel, transformer, [reason]);
    this.#readable = objectOf(stream.readable);
    this.#writable = new WritableStream(OWN, stream.writable);
    begun.resolve(begin === undefined ? undefined : ReflectApply(begin, transformer, [object]));
  }

  get readable() { return this.#readable; }
  get writable() { return this.#writable; }
}
tag(TransformStream, 'TransformStream');

class TransformStreamDefaultController {
  #stream;
  constructor(own, stream) {
    if (own !== OWN) throw new TypeError('A controller comes with the stream that it controls');
    this.#stream = stream;
  }
  get desiredSize() { return desired(this.#stream.readable.control); }
  enqueue(chunk) { enqueueTransformed(this.#stream, chunk); }
  error(error) { errorTransform(this.#stream, error); }
  terminate() { terminate(this.#stream); }
}
tag(TransformStreamDefaultController, 'TransformStreamDefaultController');

const isHigh = (unit) => unit >= 0xD800 && unit <= 0xDBFF;

class TextEncoderStream {
  #stream;
  constructor() {
    // The first half of a character whose second half is yet to come.
    let half = '';
    this.#stream = new TransformStream({
      __proto__: null,
      transform(chunk, controller) {
        const text = half + string(chunk);
        const end = text.length - 1;
        const open = end >= 0 && isHigh(StringCharCodeAt(text, end));
        half = open ? StringSlice(text, end) : '';
        const whole = open ? StringSlice(text, 0, end) : text;
        if (whole !== '') controller.enqueue(web.encode(whole));
      },
      flush(controller) {
        if (half !== '') controller.enqueue(web.encode(half));
      },
    });
  }
  get encoding() { return this.#stream && 'utf-8'; }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}
tag(TextEncoderStream, 'TextEncoderStream');

class TextDecoderStream {
  #decoder;
  #stream;
  constructor(label, init) {
    const decoder = new (need('encoding').TextDecoder)(label, init);
    this.#decoder = decoder;
    const { decode } = need('encoding');
    const more = { __proto__: null, stream: true };
    this.#stream = new TransformStream({
      __proto__: null,
      transform(chunk, controller) {
        const text = decode(decoder, chunk, more);
        if (text !== '') controller.enqueue(text);
      },
      flush(controller) {
        const text = decode(decoder, undefined, undefined);
        if (text !== '') controller.enqueue(text);
      },
    });
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}
tag(TextDecoderStream, 'TextDecoderStream');

const markOf = (init, name) => {
  const { highWaterMark } = options(init, name);
  if (highWaterMark === undefined) throw new TypeError(name + ' takes { highWaterMark }');
  return +highWaterMark;
};
const count = { size() { return 1; } }.size;
const byteLength = { size(chunk) { return chunk.byteLength; } }.size;

class CountQueuingStrategy {
  #mark;
  constructor(init) { this.#mark = markOf(init, 'CountQueuingStrategy'); }
  get highWaterMark() { return this.#mark; }
  get size() { return this.#mark === undefined ? undefined : count; }
}
tag(CountQueuingStrategy, 'CountQueuingStrategy');

class ByteLengthQueuingStrategy {
  #mark;
  constructor(init) { this.#mark = markOf(init, 'ByteLengthQueuingStrategy'); }
  get highWaterMark() { return this.#mark; }
  get size() { return this.#mark === undefined ? undefined : byteLength; }
}
tag(ByteLengthQueuingStrategy, 'ByteLengthQueuingStrategy');

// What bodies use.

/** A stream over the content of a body, which may be read past it as long as nobody has touched it. */
const streamOf = ({ value, pull }) => {
  const bytes = typeof value === 'string' ? undefined : value;
  const next = pull === undefined
    ? () => {
      // Whoever reads it may write into it.
      const chunk = bytes === undefined ? web.encode(value) : web.copy(bytes);
      if (TypedArrayByteLength(chunk) > 0) enqueueChunk(stream.control, chunk);
      closeController(stream.control);
      return resolved;
    }
    : () => PromiseThen(PromiseResolve(pull.pull()), (chunk) => {
      if (stream.state !== 'readable') return;
      if (chunk === undefined) closeController(stream.control);
      else enqueueChunk(stream.control, chunk);
    });
  const stop = () => {
    pull?.cancel();
    return resolved;
  };
  const stream = createReadable(next, stop, 0);
  stream.direct = { __proto__: null, value, pull };
  return objectOf(stream);
};

const isDisturbed = (object) => readableOf(object).disturbed;
const isLocked = (object) => readableOf(object).reader !== undefined;

const directOf = (object) => {
  const stream = readableOf(object);
  return stream.disturbed || stream.reader !== undefined ? undefined : stream.direct;
};

/** Its content was read past it: the stream is as it would be after that. */
const spend = (object) => {
  const stream = readableOf(object);
  stream.disturbed = true;
  stream.direct = undefined;
  if (stream.state !== 'readable') return;
  reset(stream.control.queue);
  forget(stream.control);
  closeReadable(stream);
};

/** Locks a stream and reads it for the glue. */
const reader = (object) => {
  const locked = acquire(readableOf(object));
  return {
    __proto__: null,
    read: () => readOnce(locked, asRecord),
    cancel: (reason) => (locked.stream === undefined ? resolved : quiet(cancelReadable(locked.stream, reason))),
  };
};

/** A stream that goes on where another is; that one is locked from now on. */
const moved = (object) => {
  const source = reader(object);
  const stream = createReadable(
    () => PromiseThen(source.read(), ({ done, value }) => {
      if (done) closeController(stream.control);
      else enqueueChunk(stream.control, value);
    }),
    (reason) => source.cancel(reason),
    0,
  );
  readableOf(object).disturbed = true;
  return objectOf(stream);
};

const teeForClone = (object) => {
  const two = tee(readableOf(object), true);
  return { __proto__: null, first: objectOf(two[0]), second: objectOf(two[1]) };
};

const shown = (value) => {
  if (isReadable(value)) return seen('ReadableStream', { __proto__: null, locked: readableOf(value).reader !== undefined });
  if (isWritable(value)) return seen('WritableStream', { __proto__: null, locked: writableOf(value).writer !== undefined });
  return isTransform(value) ? seen('TransformStream', { __proto__: null }) : undefined;
};

return {
  __proto__: null, shown, ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableStream, ReadableStreamDefaultController,
  ReadableStreamDefaultReader, TextDecoderStream, TextEncoderStream, TransformStream, TransformStreamDefaultController, WritableStream,
  WritableStreamDefaultController, WritableStreamDefaultWriter, isReadable, isDisturbed, isLocked, directOf, spend, streamOf, reader, moved,
  teeForClone,
};
}
