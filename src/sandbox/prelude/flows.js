// Host calls with a body each way, by the number of the call: `fetch` makes them. What the code sends along goes in pieces under credit;
// what follows the answer comes as the body of a request does.
const MAX_FLOWS = 64;
let flows = { __proto__: null };
let openFlows = 0;

// Where isolates are used again, a flow that its call left behind may be touched in a later one, where its number belongs to another: what
// is of a call that has ended reaches the host no more.

/** The host has no part of it any more once both its bodies have ended. */
const release = (flow) => {
  if (flow.isDown || !flow.isOver || flow.isReleased || flow.state.closed) return;
  flow.isReleased = true;
  openFlows--;
  if (flow.id !== 0) delete flows[flow.id];
};

/** Sends what goes along with a call, as the host takes it. */
const pumpUp = async (flow, source) => {
  try {
    for (;;) {
      const { done, value } = await source.read();
      if (flow.isOver || flow.state.closed) return;
      if (done) break;
      const length = TypedArrayLength(value);
      for (let at = 0; at < length;) {
        if (flow.credit <= 0) await new Promise((resolve) => { flow.wake = resolve; });
        if (flow.isOver || flow.state.closed) return;
        const sent = native.piece(value, at, flow.credit, flow.id);
        at += sent;
        flow.credit -= sent;
      }
    }
    native.pieceEnd(flow.id);
  } catch (error) {
    if (flow.isOver || flow.state.closed) return;
    const message = isObject(error) ? read(error, 'message') : error;
    native.pieceEnd(flow.id, typeof message === 'string' && message !== '' ? message : 'it failed');
    flow.fail(error);
  }
  flow.source = undefined;
  flow.isOver = true;
  release(flow);
};

/** Nobody takes any more of what goes along. */
const stopUp = (flow, reason) => {
  const { source, wake } = flow;
  flow.isOver = true;
  flow.source = flow.wake = undefined;
  if (source !== undefined) PromiseThen(new Promise((resolve) => { resolve(source.cancel(reason)); }), () => {}, () => {});
  if (wake !== undefined) wake();
  release(flow);
};

/** Nobody wants what comes back any more: the host gives up all of it. */
const giveUp = (flow, reason) => {
  if (flow.isDown && flow.id !== 0) {
    if (!flow.state.closed) native.cancel(flow.id);
    flow.isDown = false;
  }
  stopUp(flow, reason);
};

/**
 * Makes a call with streams. `given` is what goes along: bytes, { read(), cancel(reason) } or undefined; `signal` an AbortSignal or
 * undefined. Answers { value, body }: the host's answer, and what follows it as { max, pull(), cancel() }.
 */
const openFlow = (opened, method, args, given, signal) => new Promise((resolve, reject) => {
  const source = given !== undefined && native.isBytes(given) ? oneShot(given) : given;
  const flow = {
    __proto__: null, id: 0, state: opened.state, credit: STREAM_CREDIT, wake: undefined, source, inflow: undefined, fail: reject, settled() {},
    // What goes along has ended; what comes back hasn't.
    isOver: source === undefined, isDown: true, isReleased: false,
  };
  let isSettled = false;
  if (signal !== undefined) {
    const events = need('events');
    const aborted = () => {
      if (isSettled) return;
      isSettled = true;
      const reason = events.reasonOf(signal);
      reject(reason);
      giveUp(flow, reason);
      if (flow.inflow !== undefined) flow.inflow.end(reason);
    };
    if (events.isAborted(signal)) {
      flow.isReleased = true;
      aborted();
      return;
    }
    events.whenAborted(signal, aborted);
    flow.settled = () => {
      isSettled = true;
      events.notAnyMore(signal, aborted);
    };
  }
  if (openFlows >= MAX_FLOWS) throw new RangeError(MAX_FLOWS + ' requests of this call are open: read or cancel the bodies of some first');
  openFlows++;
  PromiseThen(opened.ask(method, args, (id) => {
    flow.id = id;
    if (isSettled) {
      // Aborted while it waited for its turn.
      giveUp(flow);
      return;
    }
    flows[id] = flow;
    flow.inflow = openInflow(id, () => {
      flow.settled();
      giveUp(flow, 'The body of the answer was cancelled');
    });
    if (source === undefined) native.pieceEnd(id);
    else pumpUp(flow, source);
  }), (value) => resolve({ __proto__: null, value, body: flow.inflow }), (error) => {
    flow.settled();
    reject(error);
    giveUp(flow, error);
    // Where it was never sent there was nothing to give up.
    flow.isDown = false;
    release(flow);
  });
});

/** Something of a call with streams came from the host. */
const feedStream = (what, value, id) => {
  const flow = flows[id];
  if (flow === undefined) return;
  if (what === FED) flow.inflow.fed(value);
  else if (what === FED_ALL || what === FED_ERROR) {
    flow.isDown = false;
    flow.settled();
    // As the host writes a refusal.
    flow.inflow.end(what === FED_ERROR ? refused(new Error(''), JSONParse(value), 0) : undefined);
    release(flow);
  } else if (what === CREDIT) {
    if (value === 0) {
      stopUp(flow, 'Nobody takes any more of it');
      return;
    }
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
