
// A writable stream: { state, error, writer, control, writes, writing, closing, closeInFlight, abortion, backpressure, object }.
// `writes` are the promises of writes that wait, `writing` the one that is done right now, `closing` the promise of a close that waits,
// `closeInFlight` of one that is done right now.

const newWritable = () => ({
  __proto__: null, state: 'writable', error: undefined, writer: undefined, control: undefined, writes: newQueue(), writing: undefined,
  closing: undefined, closeInFlight: undefined, abortion: undefined, backpressure: false, object: undefined,
});

/** Stands in the queue for the end. */
const CLOSE = { __proto__: null };

const controlWritable = (stream, write, close, abort, mark, size) => {
  stream.control = {
    __proto__: null, stream, queue: newQueue(), started: false, mark, size, write, close, abort, signal: undefined,
  };
  updateBackpressure(stream);
  return stream.control;
};

const startWritable = (controller, promise) => {
  const { stream } = controller;
  PromiseThen(promise, () => {
    controller.started = true;
    advance(controller);
  }, (error) => {
    controller.started = true;
    dealWith(stream, error);
  });
};

const createWritable = (promise, write, close, abort, mark = 1, size = one) => {
  const stream = newWritable();
  startWritable(controlWritable(stream, write, close, abort, mark, size), promise);
  return stream;
};

const isClosing = (stream) => stream.closing !== undefined || stream.closeInFlight !== undefined;
const room = (controller) => controller.mark - controller.queue.total;

const updateBackpressure = (stream) => {
  const under = room(stream.control) <= 0;
  const { writer } = stream;
  if (writer !== undefined && under !== stream.backpressure) {
    if (under) writer.ready = pending();
    else writer.ready.resolve();
  }
  stream.backpressure = under;
};

const forgetWritable = (controller) => {
  controller.write = controller.close = controller.abort = () => resolved;
  controller.size = one;
};

const failReady = (writer, error) => {
  writer.ready.reject(error);
  writer.ready = failed(error);
};
const failClosed = (writer, error) => {
  writer.closed.reject(error);
  quiet(writer.closed.promise);
};

const dealWith = (stream, error) => {
  if (stream.state === 'writable') startErroring(stream, error);
  else if (stream.state === 'erroring') finishErroring(stream);
};

const startErroring = (stream, error) => {
  stream.state = 'erroring';
  stream.error = error;
  const { writer, control: controller } = stream;
  if (writer !== undefined) {
    quiet(writer.ready.promise);
    failReady(writer, error);
  }
  if (stream.writing === undefined && stream.closeInFlight === undefined && controller.started) finishErroring(stream);
};

const finishErroring = (stream) => {
  stream.state = 'errored';
  const controller = stream.control;
  reset(controller.queue);
  while (!isEmpty(stream.writes)) shift(stream.writes).reject(stream.error);
  const { abortion } = stream;
  if (abortion === undefined) {
    rejectClosing(stream);
    return;
  }
  stream.abortion = undefined;
  if (abortion.wasErroring) {
    abortion.reject(stream.error);
    rejectClosing(stream);
    return;
  }
  const { abort } = controller;
  forgetWritable(controller);
  PromiseThen(abort(abortion.reason), () => {
    abortion.resolve();
    rejectClosing(stream);
  }, (error) => {
    abortion.reject(error);
    rejectClosing(stream);
  });
};

const rejectClosing = (stream) => {
  if (stream.closing !== undefined) {
    stream.closing.reject(stream.error);
    stream.closing = undefined;
  }
  if (stream.writer !== undefined) failClosed(stream.writer, stream.error);
};

const advance = (controller) => {
  const { stream, queue } = controller;
  if (!controller.started || stream.writing !== undefined || stream.closeInFlight !== undefined) return;
  if (stream.state === 'erroring') {
    finishErroring(stream);
    return;
  }
  if (stream.state !== 'writable' || isEmpty(queue)) return;
  const { value } = queue.items[queue.head];
  if (value === CLOSE) {
    stream.closeInFlight = stream.closing;
    stream.closing = undefined;
    shift(queue);
    const { close } = controller;
    const promise = close();
    forgetWritable(controller);
    PromiseThen(promise, () => {
      stream.closeInFlight.resolve();
      stream.closeInFlight = undefined;
      if (stream.state === 'erroring') {
        stream.error = undefined;
        if (stream.abortion !== undefined) {
          stream.abortion.resolve();
          stream.abortion = undefined;
        }
      }
      stream.state = 'closed';
      if (stream.writer !== undefined) stream.writer.closed.resolve();
    }, (error) => {
      stream.closeInFlight.reject(error);
      stream.closeInFlight = undefined;
      if (stream.abortion !== undefined) {
        stream.abortion.reject(error);
        stream.abortion = undefined;
      }
      dealWith(stream, error);
    });
    return;
  }
  stream.writing = shift(stream.writes);
  PromiseThen(controller.write(value), () => {
    stream.writing.resolve();
    stream.writing = undefined;
    shift(queue);
    if (!isClosing(stream) && stream.state === 'writable') updateBackpressure(stream);
    advance(controller);
  }, (error) => {
    if (stream.state === 'writable') forgetWritable(controller);
    stream.writing.reject(error);
    stream.writing = undefined;
    dealWith(stream, error);
  });
};

const abortWritable = (stream, reason) => {
  if (stream.state === 'closed' || stream.state === 'errored') return PromiseResolve();
  stream.control.signal?.abort(reason);
  if (stream.state === 'closed' || stream.state === 'errored') return PromiseResolve();
  if (stream.abortion !== undefined) return stream.abortion.promise;
  const wasErroring = stream.state === 'erroring';
  const abortion = pending();
  abortion.wasErroring = wasErroring;
  abortion.reason = wasErroring ? undefined : reason;
  stream.abortion = abortion;
  if (!wasErroring) startErroring(stream, reason);
  return abortion.promise;
};

const closeWritable = (stream) => {
  if (stream.state === 'closed' || stream.state === 'errored') {
    return PromiseReject(new TypeError('The stream is ' + stream.state + ': it can not be closed'));
  }
  const closing = pending();
  stream.closing = closing;
  if (stream.writer !== undefined && stream.backpressure && stream.state === 'writable') stream.writer.ready.resolve();
  push(stream.control.queue, CLOSE, 0);
  advance(stream.control);
  return closing.promise;
};

/** Locks a stream. A writer is { stream, closed, ready }. */
const acquireWriter = (stream) => {
  if (stream.writer !== undefined) throw new TypeError('The stream is locked: it has a writer already');
  const writer = { __proto__: null, stream, closed: pending(), ready: settled(PromiseResolve()) };
  stream.writer = writer;
  if (stream.state === 'writable') {
    if (!isClosing(stream) && stream.backpressure) writer.ready = pending();
  } else if (stream.state === 'erroring') writer.ready = failed(stream.error);
  else if (stream.state === 'closed') writer.closed.resolve();
  else {
    writer.ready = failed(stream.error);
    writer.closed = failed(stream.error);
  }
  return writer;
};

const releaseWriter = (writer) => {
  const { stream } = writer;
  const error = new TypeError('The writer was released');
  quiet(writer.ready.promise);
  failReady(writer, error);
  writer.closed.reject(error);
  writer.closed = failed(error);
  stream.writer = undefined;
  writer.stream = undefined;
};

const write = (writer, chunk) => {
  const { stream } = writer;
  const controller = stream.control;
  let size = 1;
  try {
    size = controller.size(chunk);
  } catch (error) {
    if (stream.state === 'writable') startErroring(stream, error);
  }
  if (stream !== writer.stream) return PromiseReject(new TypeError('The writer was released'));
  if (stream.state === 'errored') return PromiseReject(stream.error);
  if (isClosing(stream) || stream.state === 'closed') {
    return PromiseReject(new TypeError('The stream is closing or closed: nothing can be written to it'));
  }
  if (stream.state === 'erroring') return PromiseReject(stream.error);
  const written = pending();
  push(stream.writes, written, 0);
  try {
    push(controller.queue, chunk, size);
  } catch (error) {
    startErroring(stream, error);
    return written.promise;
  }
  if (!isClosing(stream) && stream.state === 'writable') updateBackpressure(stream);
  advance(controller);
  return written.promise;
};

let isWritable;
let writableOf;

class WritableStream {
  #stream;

  static {
    isWritable = (value) => isObject(value) && #stream in value;
    writableOf = (object) => object.#stream;
  }

  constructor(sink, strategy) {
    if (sink === OWN) {
      this.#stream = strategy;
      return;
    }
    if (sink !== undefined && !isObject(sink)) throw new TypeError('WritableStream takes its sink as an object');
    const given = options(sink, 'WritableStream');
    const abort = methodOf(given, 'abort', 'WritableStream');
    const close = methodOf(given, 'close', 'WritableStream');
    const begin = methodOf(given, 'start', 'WritableStream');
    if (given.type !== undefined) throw new RangeError('WritableStream: a sink has no type');
    const put = methodOf(given, 'write', 'WritableStream');
    const limits = strategyOf(strategy, 1);
    const stream = newWritable();
    stream.object = this;
    this.#stream = stream;
    const none = () => resolved;
    const controller = controlWritable(stream, none, none, none, limits.mark, sizeOf(limits));
    const object = new WritableStreamDefaultController(OWN, controller);
    if (put !== undefined) controller.write = (chunk) => invoke(put, sink, [chunk, object]);
    if (close !== undefined) controller.close = () => invoke(close, sink, []);
    if (abort !== undefined) controller.abort = (reason) => invoke(abort, sink, [reason]);
    startWritable(controller, PromiseResolve(begin === undefined ? undefined : ReflectApply(begin, sink, [object])));
  }

  get locked() { return this.#stream.writer !== undefined; }
  abort(reason) {
    if (!isWritable(this)) return PromiseReject(new TypeError('abort was called on something that is no WritableStream'));
    if (this.#stream.writer !== undefined) return PromiseReject(new TypeError('The stream is locked: abort it through its writer'));
    return abortWritable(this.#stream, reason);
  }
  close() {
    if (!isWritable(this)) return PromiseReject(new TypeError('close was called on something that is no WritableStream'));
    if (this.#stream.writer !== undefined) return PromiseReject(new TypeError('The stream is locked: close it through its writer'));
    if (isClosing(this.#stream)) return PromiseReject(new TypeError('The stream is closing already'));
    return closeWritable(this.#stream);
  }
  getWriter() { return new WritableStreamDefaultWriter(OWN, acquireWriter(this.#stream)); }
}
tag(WritableStream, 'WritableStream');

class WritableStreamDefaultWriter {
  #writer;

  constructor(stream, writer) {
    if (stream === OWN) {
      this.#writer = writer;
      return;
    }
    if (!isWritable(stream)) throw new TypeError('WritableStreamDefaultWriter takes a WritableStream');
    this.#writer = acquireWriter(writableOf(stream));
  }

  #stream() {
    const { stream } = this.#writer;
    if (stream === undefined) throw new TypeError('The writer was released');
    return stream;
  }

  get closed() { return this.#writer.closed.promise; }
  get ready() { return this.#writer.ready.promise; }
  get desiredSize() {
    const stream = this.#stream();
    if (stream.state === 'errored' || stream.state === 'erroring') return null;
    return stream.state === 'closed' ? 0 : room(stream.control);
  }
  abort(reason) {
    try {
      return abortWritable(this.#stream(), reason);
    } catch (error) {
      return PromiseReject(error);
    }
  }
  close() {
    try {
      if (isClosing(this.#stream())) throw new TypeError('The stream is closing already');
      return closeWritable(this.#stream());
    } catch (error) {
      return PromiseReject(error);
    }
  }
  write(chunk) {
    try {
      this.#stream();
      return write(this.#writer, chunk);
    } catch (error) {
      return PromiseReject(error);
    }
  }
  releaseLock() { if (this.#writer.stream !== undefined) releaseWriter(this.#writer); }
}
tag(WritableStreamDefaultWriter, 'WritableStreamDefaultWriter');

class WritableStreamDefaultController {
  #control;
  constructor(own, controller) {
    if (own !== OWN) throw new TypeError('A controller comes with the stream that it controls');
    this.#control = controller;
  }
  get signal() {
    const controller = this.#control;
    if (controller.signal === undefined) {
      controller.signal = need('events').signal();
      const { state, error, abortion } = controller.stream;
      if (abortion !== undefined) controller.signal.abort(abortion.reason);
      else if (state === 'errored') controller.signal.abort(error);
    }
    return controller.signal.signal;
  }
  error(error) { if (this.#control.stream.state === 'writable') startErroring(this.#control.stream, error); }
}
tag(WritableStreamDefaultController, 'WritableStreamDefaultController');

const pipeOptions = (init) => {
  const { preventAbort, preventCancel, preventClose, signal } = options(init, 'A pipe');
  if (signal !== undefined && !have('events')?.isSignal(signal)) throw new TypeError('A pipe: signal is an AbortSignal');
  return { __proto__: null, preventAbort: !!preventAbort, preventCancel: !!preventCancel, preventClose: !!preventClose, signal };
};

const pipe = (source, target, { preventAbort, preventCancel, preventClose, signal }) => {
  const reader = acquire(source);
  const writer = acquireWriter(target);
  source.disturbed = true;
  const over = pending();
  let ending = false;
  let last = resolved;
  let aborted;

  const writesDone = () => {
    const now = last;
    return chain(now, () => (now === last ? undefined : writesDone()));
  };
  const finish = (isError, error) => {
    releaseWriter(writer);
    release(reader);
    if (aborted !== undefined) have('events').notAnyMore(signal, aborted);
    if (isError) over.reject(error);
    else over.resolve();
  };
  const end = (action, isError, error) => {
    if (ending) return;
    ending = true;
    const act = () => {
      if (action === undefined) finish(isError, error);
      else PromiseThen(action(), () => finish(isError, error), (other) => finish(true, other));
    };
    if (target.state === 'writable' && !isClosing(target)) PromiseThen(writesDone(), act);
    else act();
  };

  if (signal !== undefined) {
    const { isAborted, reasonOf, whenAborted } = have('events');
    aborted = () => {
      const error = reasonOf(signal);
      const both = () => {
        const first = preventAbort || target.state !== 'writable' ? resolved : abortWritable(target, error);
        const second = preventCancel || source.state !== 'readable' ? resolved : cancelReadable(source, error);
        quiet(second);
        return chain(first, () => second);
      };
      end(both, true, error);
    };
    if (isAborted(signal)) {
      aborted();
      return over.promise;
    }
    whenAborted(signal, aborted);
  }

  const sourceErrored = (error) => end(preventAbort ? undefined : () => abortWritable(target, error), true, error);
  const targetErrored = (error) => end(preventCancel ? undefined : () => cancelReadable(source, error), true, error);
  const sourceClosed = () =>
    end(preventClose ? undefined : () => (isClosing(target) || target.state === 'closed'
      ? resolved
      : target.state === 'errored' ? PromiseReject(target.error) : closeWritable(target)), false);

  if (source.state === 'errored') sourceErrored(source.error);
  else PromiseThen(reader.closed.promise, undefined, sourceErrored);
  if (target.state === 'errored') targetErrored(target.error);
  else PromiseThen(writer.closed.promise, undefined, targetErrored);
  if (source.state === 'closed') sourceClosed();
  else PromiseThen(reader.closed.promise, sourceClosed, noop);
  if (isClosing(target) || target.state === 'closed') targetErrored(new TypeError('The target of the pipe is closed'));

  const step = () => {
    if (ending) return;
    PromiseThen(writer.ready.promise, () => {
      if (ending) return;
      read(reader, {
        __proto__: null,
        chunk: (value) => {
          last = quiet(write(writer, value));
          last = PromiseThen(last, noop, noop);
          step();
        },
        close: noop,
        error: noop,
      });
    }, noop);
  };
  step();
  return over.promise;
};
