// A call that answers a request: the request is made of what the host sends, the answer goes out whole or in pieces under credit.
const FED = 0;
const FED_ALL = 1;
const FED_ERROR = 2;
const CREDIT = 3;
const GONE = 4;
const STREAM_CREDIT = 262144;

/** What the web platform hands to the glue for requests and answers. */
const web = () => need('fetch');

let inflow;
let outflow;
let goneSignal;
let clientGone = false;

// The accessor as it was: code that replaces it must not decide how often a piece is sent.
const { TypedArrayLength } = kit;

/** The body of the request: pieces that have come and not been read, and who waits for one. */
const openInflow = () => {
  const pieces = { __proto__: null };
  let first = 0;
  let last = 0;
  let ended = false;
  let problem;
  let waiting;
  const take = () => {
    const piece = pieces[first];
    delete pieces[first++];
    native.taken(TypedArrayLength(piece));
    return piece;
  };
  const give = () => {
    if (waiting === undefined) return;
    const { resolve, reject } = waiting;
    if (first < last) resolve(take());
    else if (problem !== undefined) reject(problem);
    else if (ended) resolve(undefined);
    else return;
    waiting = undefined;
  };
  return {
    __proto__: null,
    /** Bytes that may be read at once. */
    max: native.maxPayload(),
    /** One piece, or undefined at the end. */
    pull() {
      return new Promise((resolve, reject) => {
        waiting = { __proto__: null, resolve, reject };
        give();
      });
    },
    /** What comes is let pass. */
    cancel() {
      while (first < last) take();
      ended = true;
    },
    fed(piece) {
      if (ended) {
        native.taken(TypedArrayLength(piece));
        return;
      }
      pieces[last++] = piece;
      give();
    },
    end(error) {
      ended = true;
      if (error !== undefined) problem = new TypeError("The request's body could not be read: " + error);
      give();
    },
  };
};

/** The client has gone: whoever makes the answer is told, and may do what there is to do then. */
const leave = (flow) => {
  flow.gone = true;
  flow.cancelled = PromiseThen(flow.reader.cancel('The client has gone'), () => {}, () => {});
  if (flow.wake !== undefined) flow.wake();
};

/** Sends a streaming body, piece by piece, as the host takes them. */
const pump = async (reader) => {
  const flow = outflow = { __proto__: null, credit: STREAM_CREDIT, wake: undefined, gone: false, reader, cancelled: undefined };
  if (clientGone) leave(flow);
  for (;;) {
    if (flow.gone) return flow.cancelled;
    const { done, value } = await reader.read();
    if (flow.gone) return flow.cancelled;
    if (done) return undefined;
    const length = TypedArrayLength(value);
    for (let at = 0; at < length;) {
      if (flow.credit <= 0) {
        await new Promise((resolve) => { flow.wake = resolve; });
        if (flow.gone) return flow.cancelled;
      }
      const sent = native.piece(value, at, flow.credit);
      at += sent;
      flow.credit -= sent;
    }
  }
};

const oneShot = (bytes) => {
  let given = false;
  return {
    __proto__: null,
    async read() {
      const result = { __proto__: null, done: given, value: given ? undefined : bytes };
      given = true;
      return result;
    },
    async cancel() {
      given = true;
    },
  };
};

/** Sends what a handler answered, or what it threw if that is an answer. */
const respond = (value) => {
  const { status, headers, body } = web().answer(value);
  const head = JSONStringify({ __proto__: null, status, headers });
  if (body === null || typeof body === 'string' || native.isBytes(body)) {
    // What is too long for one message goes in pieces.
    if (native.answer(head, body)) {
      if (openCalls !== 0) tellOpen(false);
      return;
    }
    stream(head, oneShot(native.toBytes(body)));
    return;
  }
  stream(head, body);
};

const stream = (head, reader) => {
  native.head(head);
  // From here on the call has other limits than the one that its signal tells of.
  isStreaming = true;
  if (signalTimer !== undefined) clearTimer(signalTimer);
  PromiseThen(pump(reader), () => done(undefined, 'answer'), failed);
};

const tryRespond = (value) => {
  try {
    respond(value);
  } catch (error) {
    failed(error);
  }
};

const failOrRespond = (error) => {
  let isAnswer = false;
  try {
    isAnswer = web().isResponse(error);
  } catch {
    // A proxy with traps of its own: not one of ours.
  }
  if (isAnswer) tryRespond(error);
  else failed(error);
};

/** The request of this call. */
const openRequest = (head, hasBody) => {
  inflow = hasBody ? openInflow() : undefined;
  outflow = undefined;
  clientGone = false;
  goneSignal = undefined;
  // Few handlers look at it, and making it takes longer than the rest of the request.
  const signal = () => {
    if (goneSignal === undefined) {
      goneSignal = web().signal();
      if (clientGone) goneSignal.abort();
    }
    return goneSignal.signal;
  };
  return web().request({ __proto__: null, method: head.method, url: head.url, headers: head.headers, body: hasBody ? inflow : null, signal });
};

/** Something of the exchange came from the host. */
const feed = (what, value) => {
  if (what === FED) inflow?.fed(value);
  else if (what === FED_ALL) inflow?.end();
  else if (what === FED_ERROR) inflow?.end(value);
  else if (what === CREDIT) {
    if (outflow === undefined) return;
    outflow.credit += value;
    const { wake } = outflow;
    outflow.wake = undefined;
    if (wake !== undefined) wake();
  } else if (what === GONE) {
    clientGone = true;
    goneSignal?.abort();
    if (outflow !== undefined) leave(outflow);
  }
};
