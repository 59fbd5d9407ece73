// Host calls with a body each way, by the number of the call: `fetch` is one. What the code sends along goes in pieces under credit; what
// follows the answer comes as the body of a request does.
let flows = { __proto__: null };

/** Sends what goes along with a call, as the host takes it. */
const pumpUp = async (flow, id, source) => {
  try {
    for (;;) {
      const { done, value } = await source.read();
      if (flow.over) return;
      if (done) break;
      const length = TypedArrayLength(value);
      for (let at = 0; at < length;) {
        if (flow.credit <= 0) await new Promise((resolve) => { flow.wake = resolve; });
        if (flow.over) return;
        const sent = native.piece(value, at, flow.credit, id);
        at += sent;
        flow.credit -= sent;
      }
    }
    native.pieceEnd(id);
  } catch (error) {
    if (flow.over) return;
    const message = isObject(error) ? read(error, 'message') : error;
    native.pieceEnd(id, typeof message === 'string' && message !== '' ? message : 'it failed');
    flow.fail(error);
  }
  flow.source = undefined;
};

/** Nobody takes any more of what goes along. */
const stopUp = (flow, reason) => {
  flow.over = true;
  const { source, wake } = flow;
  flow.source = flow.wake = undefined;
  if (source !== undefined) PromiseThen(new Promise((resolve) => { resolve(source.cancel(reason)); }), () => {}, () => {});
  if (wake !== undefined) wake();
};

/**
 * Makes a call with streams. `given` is what goes along: bytes, { read(), cancel(reason) } or undefined; `signal` an AbortSignal or undefined. Answers
 * { value, body }: the host's answer, and what follows it as { max, pull(), cancel() }.
 */
const openFlow = (opened, method, args, given, signal) => new Promise((resolve, reject) => {
  const source = given !== undefined && native.isBytes(given) ? oneShot(given) : given;
  const flow = {
    __proto__: null, credit: STREAM_CREDIT, wake: undefined, over: source === undefined, source, inflow: undefined, fail: reject,
  };
  const events = signal === undefined ? undefined : need('events');
  let number;
  let isOver = false;
  const aborted = () => {
    if (isOver) return;
    isOver = true;
    const reason = events.reasonOf(signal);
    stopUp(flow, reason);
    reject(reason);
    if (flow.inflow !== undefined) flow.inflow.end(reason);
    if (number !== undefined) {
      delete flows[number];
      native.cancel(number);
    }
  };
  if (signal !== undefined) {
    if (events.isAborted(signal)) {
      aborted();
      return;
    }
    events.whenAborted(signal, aborted);
  }
  flow.settled = () => {
    isOver = true;
    if (events !== undefined) events.notAnyMore(signal, aborted);
  };
  PromiseThen(opened.ask(method, args, (id) => {
    number = id;
    // Aborted while it waited for its turn: the host is told what it was asked and forgets it.
    if (isOver) {
      native.cancel(id);
      return;
    }
    flows[id] = flow;
    flow.inflow = openInflow(id);
    if (source === undefined) native.pieceEnd(id);
    else pumpUp(flow, id, source);
  }), (value) => {
    if (!isOver) resolve({ __proto__: null, value, body: flow.inflow });
  }, (error) => {
    if (isOver) return;
    flow.settled();
    delete flows[number];
    stopUp(flow, error);
    reject(error);
  });
});

/** Something of a call with streams came from the host. */
const feedStream = (what, value, id) => {
  const flow = flows[id];
  if (flow === undefined) return;
  if (what === FED) flow.inflow.fed(value);
  else if (what === FED_ALL || what === FED_ERROR) {
    flow.settled();
    delete flows[id];
    // As the host writes a refusal.
    flow.inflow.end(what === FED_ERROR ? refused(new Error(''), JSONParse(value), 0) : undefined);
    if (!flow.over) flows[id] = flow;
  } else if (what === CREDIT) {
    if (value === 0) stopUp(flow, 'Nobody takes it any more');
    flow.credit += value;
    const { wake } = flow;
    flow.wake = undefined;
    if (wake !== undefined) wake();
  }
};

define(globalThis, 'fetch', function fetch(input, init) {
  if (open === undefined || open.closed) return rejected(new Error('fetch() works while a handler runs, and none is running'));
  return currentServices.fetch(input, init);
});
