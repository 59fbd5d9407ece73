// Streams by the web's standard, with default readers; what reads into buffers of the reader is left out. Objects of the standard are
// thin: what they are is in plain records that only the glue sees.
(native, kit, need, have) => {
'use strict';
const { Promise, PromiseReject, PromiseResolve, PromiseThen, RangeError, ReflectApply, StringCharCodeAt,
  StringSlice, SymbolAsyncIterator, SymbolIterator, TypedArrayByteLength, TypeError, define, enqueue: microtask, isObject } = kit;
const { web, list, string, viewOf, tag, few, options, seen } = need('common');
/** Proof that the glue itself constructs. */
const OWN = { __proto__: null };
const resolved = PromiseResolve();

const noop = () => {};
const pending = () => {
  const made = { __proto__: null };
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return made;
};
const settled = (promise) => ({ __proto__: null, promise, resolve: noop, reject: noop });
/** Nobody has to listen to this promise. */
const quiet = (promise) => {
  PromiseThen(promise, undefined, noop);
  return promise;
};
const failed = (error) => settled(quiet(PromiseReject(error)));

/** Calls a function of the author's; what it answers or throws, as a promise. */
const invoke = (method, self, args) => {
  try {
    return PromiseResolve(ReflectApply(method, self, args));
  } catch (error) {
    return PromiseReject(error);
  }
};

/** What follows a promise and may take time itself. A callback that answers a promise would have code's own `then` called. */
const chain = (promise, next) =>
  new Promise((resolve, reject) => {
    const step = PromiseThen(promise, (value) => {
      const more = next(value);
      if (more === undefined) resolve();
      else PromiseThen(more, resolve, reject);
    });
    PromiseThen(step, undefined, reject);
  });

const methodOf = (object, name, what) => {
  const method = object[name];
  if (method !== undefined && typeof method !== 'function') throw new TypeError(what + ': ' + name + ' is a function');
  return method;
};

const strategyOf = (strategy, mark) => {
  const { highWaterMark, size } = options(strategy, 'A queuing strategy');
  const limit = highWaterMark === undefined ? mark : +highWaterMark;
  if (!(limit >= 0)) throw new RangeError('The highWaterMark of a stream is a number that is not negative: ' + limit);
  if (size !== undefined && typeof size !== 'function') throw new TypeError('The size of a queuing strategy is a function');
  return { __proto__: null, mark: limit, size };
};
const one = () => 1;
const sizeOf = (strategy) => {
  const { size } = strategy;
  return size === undefined ? one : (chunk) => ReflectApply(size, undefined, [chunk]);
};

// A queue with sizes.
const newQueue = () => ({ __proto__: null, items: list(), head: 0, total: 0 });
const isEmpty = (queue) => queue.head === queue.items.length;
const push = (queue, value, given) => {
  const size = +given;
  if (!(size >= 0 && size < Infinity)) throw new RangeError('The size of a chunk is a finite number that is not negative: ' + size);
  queue.items[queue.items.length] = { __proto__: null, value, size };
  queue.total += size;
};
const shift = (queue) => {
  const { value, size } = queue.items[queue.head];
  queue.items[queue.head++] = undefined;
  queue.total = queue.total > size ? queue.total - size : 0;
  if (queue.head > 64 && queue.head * 2 > queue.items.length) {
    const rest = list();
    for (let i = queue.head; i < queue.items.length; i++) rest[rest.length] = queue.items[i];
    queue.items = rest;
    queue.head = 0;
  }
  return value;
};
const reset = (queue) => {
  queue.items = list();
  queue.head = 0;
  queue.total = 0;
};

// A readable stream: { state, error, reader, disturbed, control, direct, object }. `direct` is { value, pull } of a body that this
// stream was made of: while nobody has touched the stream it may be read past it.

const newReadable = () => ({
  __proto__: null, state: 'readable', error: undefined, reader: undefined, disturbed: false, control: undefined, direct: undefined,
  object: undefined,
});

const objectOf = (stream) => {
  stream.object ??= new ReadableStream(OWN, stream);
  return stream.object;
};

/** The controller of a stream, not started. `pull` and `cancel` answer promises. */
const control = (stream, pull, cancel, mark, size, bytes) => {
  stream.control = {
    __proto__: null, stream, queue: newQueue(), started: false, closing: false, pulling: false, again: false, mark, size, pull, cancel,
    bytes,
  };
  return stream.control;
};

const start = (controller, promise) => {
  PromiseThen(promise, () => {
    controller.started = true;
    callPull(controller);
  }, (error) => errorStream(controller, error));
};

/** A stream of the glue's own making. */
const createReadable = (pull, cancel, mark = 1, size = one) => {
  const stream = newReadable();
  start(control(stream, pull, cancel, mark, size, false), resolved);
  return stream;
};

const requestsOf = (stream) => stream.reader !== undefined && !isEmpty(stream.reader.requests);
const desired = (controller) => {
  const { state } = controller.stream;
  return state === 'errored' ? null : state === 'closed' ? 0 : controller.mark - controller.queue.total;
};
const canEnqueue = (controller) => !controller.closing && controller.stream.state === 'readable';

const callPull = (controller) => {
  if (!canEnqueue(controller) || !controller.started) return;
  if (!requestsOf(controller.stream) && !(desired(controller) > 0)) return;
  if (controller.pulling) {
    controller.again = true;
    return;
  }
  controller.pulling = true;
  PromiseThen(controller.pull(), () => {
    controller.pulling = false;
    if (controller.again) {
      controller.again = false;
      callPull(controller);
    }
  }, (error) => errorStream(controller, error));
};

const forget = (controller) => {
  controller.pull = controller.cancel = () => resolved;
  controller.size = one;
};

const enqueueChunk = (controller, chunk) => {
  if (requestsOf(controller.stream)) shift(controller.stream.reader.requests).chunk(chunk);
  else {
    try {
      push(controller.queue, chunk, controller.size(chunk));
    } catch (error) {
      errorStream(controller, error);
      throw error;
    }
  }
  callPull(controller);
};

const closeController = (controller) => {
  controller.closing = true;
  if (isEmpty(controller.queue)) {
    forget(controller);
    closeReadable(controller.stream);
  }
};

const errorStream = (controller, error) => {
  const { stream } = controller;
  if (stream.state !== 'readable') return;
  reset(controller.queue);
  forget(controller);
  stream.state = 'errored';
  stream.error = error;
  const { reader } = stream;
  if (reader === undefined) return;
  reader.closed.reject(error);
  quiet(reader.closed.promise);
  while (!isEmpty(reader.requests)) shift(reader.requests).error(error);
};

const closeReadable = (stream) => {
  stream.state = 'closed';
  const { reader } = stream;
  if (reader === undefined) return;
  reader.closed.resolve();
  while (!isEmpty(reader.requests)) shift(reader.requests).close();
};

const cancelReadable = (stream, reason) => {
  stream.disturbed = true;
  if (stream.state === 'closed') return PromiseResolve();
  if (stream.state === 'errored') return PromiseReject(stream.error);
  closeReadable(stream);
  const controller = stream.control;
  reset(controller.queue);
  const { cancel } = controller;
  forget(controller);
  return PromiseThen(cancel(reason), noop);
};

/** Locks a stream. A reader is { stream, closed, requests }. */
const acquire = (stream) => {
  if (stream.reader !== undefined) throw new TypeError('The stream is locked: it has a reader already');
  const reader = { __proto__: null, stream, closed: pending(), requests: newQueue() };
  if (stream.state === 'closed') reader.closed.resolve();
  else if (stream.state === 'errored') reader.closed = failed(stream.error);
  stream.reader = reader;
  return reader;
};

const release = (reader) => {
  const { stream } = reader;
  const error = new TypeError('The reader was released');
  if (stream.state === 'readable') {
    reader.closed.reject(error);
    quiet(reader.closed.promise);
  } else reader.closed = failed(error);
  stream.reader = undefined;
  reader.stream = undefined;
  while (!isEmpty(reader.requests)) shift(reader.requests).error(error);
};

/** Reads; `request` is { chunk(value), close(), error(error) }. */
const read = (reader, request) => {
  const { stream } = reader;
  stream.disturbed = true;
  if (stream.state === 'closed') request.close();
  else if (stream.state === 'errored') request.error(stream.error);
  else {
    const controller = stream.control;
    if (isEmpty(controller.queue)) {
      push(reader.requests, request, 0);
      callPull(controller);
      return;
    }
    const chunk = shift(controller.queue);
    if (controller.closing && isEmpty(controller.queue)) {
      forget(controller);
      closeReadable(stream);
    } else callPull(controller);
    request.chunk(chunk);
  }
};

const released = () => PromiseReject(new TypeError('The reader was released'));

/** Reads once. `result(value, done)` is what the promise is about. */
const readOnce = (reader, result) =>
  reader.stream === undefined
    ? released()
    : new Promise((resolve, reject) =>
      read(reader, {
        __proto__: null,
        chunk: (value) => resolve(result(value, false)),
        close: () => resolve(result(undefined, true)),
        error: reject,
      }));

const asResult = (value, done) => ({ value, done });
const asRecord = (value, done) => ({ __proto__: null, value, done });

const tee = (stream, copies) => {
  const reader = acquire(stream);
  let reading = false;
  let again = false;
  const gone = [false, false];
  const reasons = [undefined, undefined];
  const cancelled = pending();
  const branches = [undefined, undefined];
  const end = () => {
    if (!gone[0] || !gone[1]) cancelled.resolve();
  };
  const pull = () => {
    if (reading) {
      again = true;
      return resolved;
    }
    reading = true;
    read(reader, {
      __proto__: null,
      chunk: (value) => microtask(() => {
        again = false;
        // Of copies, one that writes into what it was given must not write into what the other was given.
        for (let i = 0; i < 2; i++) {
          if (gone[i]) continue;
          enqueueChunk(branches[i].control, i === 1 && copies && web.isBytes(value) ? web.copy(viewOf(value)) : value);
        }
        reading = false;
        if (again) pull();
      }),
      close: () => {
        reading = false;
        for (let i = 0; i < 2; i++) if (!gone[i]) closeController(branches[i].control);
        end();
      },
      error: () => {
        reading = false;
      },
    });
    return resolved;
  };
  const cancel = (i) => (reason) => {
    gone[i] = true;
    reasons[i] = reason;
    if (gone[1 - i]) PromiseThen(cancelReadable(stream, [reasons[0], reasons[1]]), cancelled.resolve, cancelled.reject);
    return cancelled.promise;
  };
  for (let i = 0; i < 2; i++) branches[i] = createReadable(pull, cancel(i));
  PromiseThen(reader.closed.promise, undefined, (error) => {
    for (let i = 0; i < 2; i++) errorStream(branches[i].control, error);
    end();
  });
  return branches;
};

let isReadable;
let readableOf;

class ReadableStream {
  #stream;

  static {
    isReadable = (value) => isObject(value) && #stream in value;
    readableOf = (object) => object.#stream;
  }

  constructor(source, strategy) {
    if (source === OWN) {
      this.#stream = strategy;
      return;
    }
    if (source !== undefined && !isObject(source)) throw new TypeError('ReadableStream takes its source as an object');
    const given = options(source, 'ReadableStream');
    const cancel = methodOf(given, 'cancel', 'ReadableStream');
    const pull = methodOf(given, 'pull', 'ReadableStream');
    const begin = methodOf(given, 'start', 'ReadableStream');
    const type = given.type === undefined ? undefined : string(given.type);
    if (type !== undefined && type !== 'bytes') throw new TypeError("ReadableStream: the type of a source is 'bytes' or nothing: " + type);
    const bytes = type === 'bytes';
    const limits = strategyOf(strategy, bytes ? 0 : 1);
    if (bytes && limits.size !== undefined) throw new RangeError('ReadableStream: a source of bytes has no size function');
    const stream = newReadable();
    stream.object = this;
    this.#stream = stream;
    const size = bytes ? TypedArrayByteLength : sizeOf(limits);
    const controller = control(stream, () => resolved, () => resolved, limits.mark, size, bytes);
    const object = new ReadableStreamDefaultController(OWN, controller);
    if (pull !== undefined) controller.pull = () => invoke(pull, source, [object]);
    if (cancel !== undefined) controller.cancel = (reason) => invoke(cancel, source, [reason]);
    // What it throws, the constructor throws.
    start(controller, PromiseResolve(begin === undefined ? undefined : ReflectApply(begin, source, [object])));
  }

  static from(iterable) {
    few(arguments.length, 1, 'ReadableStream.from');
    if (iterable === undefined || iterable === null) throw new TypeError('ReadableStream.from takes an iterable or an async iterable');
    let method = iterable[SymbolAsyncIterator];
    const async = method !== undefined && method !== null;
    if (!async) method = iterable[SymbolIterator];
    if (typeof method !== 'function') throw new TypeError('ReadableStream.from takes an iterable or an async iterable');
    const iterator = ReflectApply(method, iterable, []);
    if (!isObject(iterator)) throw new TypeError('ReadableStream.from: the iterator is not an object');
    const { next } = iterator;
    const expect = (result) => {
      if (!isObject(result)) throw new TypeError('ReadableStream.from: a result of the iterator is not an object');
      return result;
    };
    const stream = createReadable(
      () => chain(invoke(next, iterator, []), (result) => {
        if (expect(result).done) closeController(stream.control);
        else if (async) enqueueChunk(stream.control, result.value);
        else return PromiseThen(PromiseResolve(result.value), (value) => enqueueChunk(stream.control, value));
        return undefined;
      }),
      (reason) => {
        let back;
        try {
          back = iterator.return;
        } catch (error) {
          return PromiseReject(error);
        }
        if (back === undefined || back === null) return resolved;
        return PromiseThen(invoke(back, iterator, [reason]), (result) => void expect(result));
      },
      0,
    );
    return objectOf(stream);
  }

  get locked() { return this.#stream.reader !== undefined; }

  cancel(reason) {
    if (!isReadable(this)) return PromiseReject(new TypeError('cancel was called on something that is no ReadableStream'));
    if (this.#stream.reader !== undefined) return PromiseReject(new TypeError('The stream is locked: cancel it through its reader'));
    return cancelReadable(this.#stream, reason);
  }

  getReader(init) {
    const stream = this.#stream;
    const { mode } = options(init, 'ReadableStream.getReader');
    if (mode !== undefined) {
      if (string(mode) === 'byob') {
        throw new TypeError("Readers with a buffer of their own ('byob') are not available in extensions: use getReader()");
      }
      throw new TypeError('ReadableStream.getReader has no mode ' + mode);
    }
    return new ReadableStreamDefaultReader(OWN, acquire(stream));
  }

  tee() {
    const two = tee(this.#stream, false);
    return [objectOf(two[0]), objectOf(two[1])];
  }

  pipeTo(target, init) {
    if (!isReadable(this) || !isWritable(target)) return PromiseReject(new TypeError('ReadableStream.pipeTo takes a WritableStream'));
    let how;
    try {
      how = pipeOptions(init);
      if (this.#stream.reader !== undefined) throw new TypeError('The stream is locked: it can not be piped');
      if (writableOf(target).writer !== undefined) throw new TypeError('The target of the pipe is locked');
    } catch (error) {
      return PromiseReject(error);
    }
    return pipe(this.#stream, writableOf(target), how);
  }

  pipeThrough(pair, init) {
    const stream = this.#stream;
    few(arguments.length, 1, 'ReadableStream.pipeThrough');
    const { readable, writable } = options(pair, 'ReadableStream.pipeThrough');
    if (!isReadable(readable) || !isWritable(writable)) throw new TypeError('ReadableStream.pipeThrough takes { readable, writable }');
    const how = pipeOptions(init);
    if (stream.reader !== undefined) throw new TypeError('The stream is locked: it can not be piped');
    if (writableOf(writable).writer !== undefined) throw new TypeError('The target of the pipe is locked');
    quiet(pipe(stream, writableOf(writable), how));
    return readable;
  }

  values(init) {
    const stream = this.#stream;
    const { preventCancel } = options(init, 'ReadableStream.values');
    return new Chunks(acquire(stream), !!preventCancel);
  }
}
tag(ReadableStream, 'ReadableStream');
define(ReadableStream.prototype, SymbolAsyncIterator, ReadableStream.prototype.values);

/** What `for await` goes through: one step after the other, however they are asked for. */
class Chunks {
  #reader;
  #keep;
  #last;
  #over = false;
  constructor(reader, keep) {
    this.#reader = reader;
    this.#keep = keep;
  }
  #after(step) {
    this.#last = this.#last === undefined ? step() : PromiseThen(this.#last, step, step);
    return this.#last;
  }
  next() {
    const reader = this.#reader;
    return this.#after(() => {
      if (this.#over) return PromiseResolve(asResult(undefined, true));
      return new Promise((resolve, reject) =>
        read(reader, {
          __proto__: null,
          chunk: (value) => resolve(asResult(value, false)),
          close: () => {
            this.#over = true;
            release(reader);
            resolve(asResult(undefined, true));
          },
          error: (error) => {
            this.#over = true;
            release(reader);
            reject(error);
          },
        }));
    });
  }
  return(value) {
    const reader = this.#reader;
    return this.#after(() => {
      if (this.#over) return PromiseResolve(asResult(value, true));
      this.#over = true;
      const done = this.#keep ? resolved : cancelReadable(reader.stream, value);
      release(reader);
      return PromiseThen(done, () => asResult(value, true));
    });
  }
}
delete Chunks.prototype.constructor;
kit.ObjectSetPrototypeOf(Chunks.prototype, kit.AsyncIteratorPrototype);
tag(Chunks, 'ReadableStream AsyncIterator');

class ReadableStreamDefaultReader {
  #reader;

  constructor(stream, reader) {
    if (stream === OWN) {
      this.#reader = reader;
      return;
    }
    if (!isReadable(stream)) throw new TypeError('ReadableStreamDefaultReader takes a ReadableStream');
    this.#reader = acquire(readableOf(stream));
  }

  get closed() { return this.#reader.closed.promise; }
  read() {
    try {
      return readOnce(this.#reader, asResult);
    } catch (error) {
      return PromiseReject(error);
    }
  }
  async cancel(reason) {
    const { stream } = this.#reader;
    if (stream === undefined) throw new TypeError('The reader was released');
    await cancelReadable(stream, reason);
  }
  releaseLock() { if (this.#reader.stream !== undefined) release(this.#reader); }
}
tag(ReadableStreamDefaultReader, 'ReadableStreamDefaultReader');

class ReadableStreamDefaultController {
  #control;

  constructor(own, controller) {
    if (own !== OWN) throw new TypeError('A controller comes with the stream that it controls');
    this.#control = controller;
  }

  get desiredSize() { return desired(this.#control); }
  get byobRequest() { return this.#control.bytes ? null : undefined; }
  enqueue(chunk) {
    const controller = this.#control;
    if (!canEnqueue(controller)) throw new TypeError('The stream is closed: nothing can be added to it');
    if (!controller.bytes) enqueueChunk(controller, chunk);
    else {
      const view = viewOf(chunk);
      if (view === undefined || native.classOf(chunk) === 'ArrayBuffer') {
        throw new TypeError('A stream of bytes takes a Uint8Array or another view');
      }
      if (TypedArrayByteLength(view) === 0) throw new TypeError('A stream of bytes takes no empty view');
      enqueueChunk(controller, view);
    }
  }
  close() {
    if (!canEnqueue(this.#control)) throw new TypeError('The stream is closed already');
    closeController(this.#control);
  }
  error(error) { errorStream(this.#control, error); }
}
tag(ReadableStreamDefaultController, 'ReadableStreamDefaultController');
