// Host calls: a numbered table of promises. Answers come by number, so nothing outside this heap points into it.
const MAX_OPEN = 64;
// Calls left behind that are named; of further ones only the number is told.
const MAX_TOLD = 10;
// Rejections of host calls, so that one which ends the call is told from an error of the author's own.
const refusals = new WeakMap();
let lastCall = 0;
let openCalls = 0;
let calls = { __proto__: null };
let queue = { __proto__: null };
let queueHead = 0;
let queueTail = 0;

/** Sends a call. One with streams has `begin`: what it sends along goes after it. */
const sendCall = ({ id, method, json, begin }) => {
  if (begin === undefined) native.callJson(id, method, json);
  else native.callStream(id, method, json);
  openCalls++;
  if (begin !== undefined) begin();
};

/** The `host` of one invocation. It closes with it: what a forgotten promise asks later is refused. */
const openHost = () => {
  const state = { __proto__: null, closed: false };
  // A call with streams has `begun`, which is told its number once it was sent.
  const ask = (method, args, begun) => {
    if (state.closed) return rejected(new Error('This context is closed: the call that it belongs to has ended'));
    let last = args.length;
    while (last > 0 && args[last - 1] === undefined) last--;
    args.length = last;
    // Made here and not when the answer comes: its stack then names the line that called.
    const error = new Error('');
    return new Promise((resolve, reject) => {
      // Written out first: that runs the author's `toJSON` and getters, which may make calls of their own.
      const json = native.json(args, method + ': arguments');
      const id = ++lastCall;
      const begin = begun === undefined ? undefined : () => begun(id);
      const call = { __proto__: null, method, resolve, reject, error };
      if (openCalls < MAX_OPEN) sendCall({ __proto__: null, id, method, json, begin });
      else queue[queueTail++] = { __proto__: null, id, method, json, begin };
      calls[id] = call;
    });
  };
  const host = (method, ...args) => ask(method, args);
  return { __proto__: null, host, ask, state };
};

const { ErrorStack } = kit;

/** Where a call was made. The error is ours, but its class may have been patched since. */
const stackOf = ({ error }) => {
  const stack = ErrorStack(error);
  return typeof stack === 'string' ? stack : '';
};

/** Warns of the calls that are still open when the invocation ends: their promises were left behind. */
const tellOpen = (isFailure) => {
  const ids = ObjectKeys(calls);
  for (let i = 0; i < ids.length && i < MAX_TOLD; i++) native.forgotten(calls[ids[i]].method, stackOf(calls[ids[i]]), isFailure);
  if (ids.length > MAX_TOLD) native.log(WARN, (ids.length - MAX_TOLD) + ' more host calls were still open when the call ended');
};

/** The end of an invocation by a value. */
const done = (value, name) => {
  native.done(value, name);
  if (openCalls !== 0) tellOpen(false);
};

/** What the invocation waits for: the host call that is open for longest and its stack, or nothing. Asks `native` for nothing. */
const waiting = () => {
  const ids = ObjectKeys(calls);
  return ids.length === 0 ? '' : (calls[ids[0]].method + '\n' + stackOf(calls[ids[0]]));
};

const rejected = (error) => new Promise((_, reject) => reject(error));

const settle = (id, ok, value, isHeld) => {
  held = isHeld;
  const call = calls[id];
  if (call === undefined) return;
  delete calls[id];
  openCalls--;
  while (openCalls < MAX_OPEN && queueHead < queueTail) {
    const next = queue[queueHead];
    delete queue[queueHead++];
    try {
      sendCall(next);
    } catch (error) {
      calls[next.id].reject(error);
      delete calls[next.id];
    }
  }
  if (ok) {
    call.resolve(value);
    return;
  }
  call.reject(refused(call.error, value, id));
};

/** Makes an error what the host says of a call that it refused, or of what follows the answer to one. */
const refused = (error, value, id) => {
  define(error, 'message', value.message);
  if (value.name !== 'Error') define(error, 'name', value.name);
  put(error, 'code', value.code);
  put(error, 'status', value.status);
  const extra = value.extra;
  if (isObject(extra)) {
    const keys = ObjectKeys(extra);
    for (let i = 0; i < keys.length; i++) if (!ObjectHasOwn(error, keys[i])) put(error, keys[i], extra[keys[i]]);
  }
  WeakMapSet(refusals, error, id);
  return error;
};
