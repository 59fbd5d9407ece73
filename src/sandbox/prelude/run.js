// One run: the context is made, the body is called, and its end is told in plain values.
const bugs = [TypeError, ReferenceError, RangeError, SyntaxError, EvalError, URIError, InternalError];
const told = { __proto__: null, name: 1, message: 1, stack: 1, code: 1, status: 1, cause: 1 };
const MAX_FIELDS = 8192;
const MAX_CAUSES = 8;
const { AggregateError } = globalThis;

const deepFreeze = (value) => {
  if (!isObject(value) || ObjectIsFrozen(value)) return value;
  ObjectFreeze(value);
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) deepFreeze(value[keys[i]]);
  return value;
};

const isBug = (error) => {
  for (let i = 0; i < bugs.length; i++) if (IsPrototypeOf(bugs[i].prototype, error)) return true;
  return false;
};

/** Reads one property of what was thrown; a getter that throws is as good as none. */
const read = (object, key) => {
  try {
    return object[key];
  } catch {
    return undefined;
  }
};

/** Tells one of the things that led to an error. */
const tellCause = (cause) => {
  if (!isObject(cause)) {
    native.cause(typeof cause, typeof cause === 'string' ? cause : inspect(cause));
    return;
  }
  const message = read(cause, 'message');
  const name = read(cause, 'name');
  native.cause(typeof name === 'string' ? name : 'Object', typeof message === 'string' ? message : inspect(cause), read(cause, 'code'),
    read(cause, 'stack'));
};

/** Tells what led to an error: its cause, that one's cause, and so on; of an AggregateError its errors as well. */
const tellCauses = (error) => {
  let count = 0;
  for (let cause = read(error, 'cause'); cause !== undefined && cause !== null && count < MAX_CAUSES; count++) {
    tellCause(cause);
    cause = isObject(cause) ? read(cause, 'cause') : undefined;
  }
  try {
    if (!IsPrototypeOf(AggregateError.prototype, error)) return;
    const errors = read(error, 'errors');
    if (!ArrayIsArray(errors)) return;
    for (let i = 0; i < errors.length && count < MAX_CAUSES; i++, count++) tellCause(errors[i]);
  } catch {
    // As above: traps of the author's own.
  }
};

const fail = (error) => {
  if (!isObject(error)) {
    native.fail(false, undefined, 'Error', typeof error === 'string' ? error : (inspect(error) + ' was thrown'));
    return;
  }
  let call;
  let bug = false;
  try {
    call = WeakMapGet(refusals, error);
    bug = isBug(error);
  } catch {
    // A proxy with traps of its own: the author's doing.
  }
  const message = read(error, 'message');
  const name = read(error, 'name');
  tellCauses(error);
  let fields;
  try {
    const keys = ObjectKeys(error);
    const own = {};
    for (let i = 0; i < keys.length; i++) if (!(keys[i] in told)) put(own, keys[i], read(error, keys[i]));
    fields = native.json(own, 'error', MAX_FIELDS);
  } catch {
    // Fields that can't be told are left out.
  }
  native.fail(bug, call, typeof name === 'string' ? name : 'Error', typeof message === 'string' ? advised(name, message) : inspect(error),
    read(error, 'code'), read(error, 'status'), read(error, 'stack'), fields);
};

/** The end of a call by something thrown. */
const failed = (error) => {
  fail(error);
  if (openCalls !== 0) tellOpen(true);
};

// Members of the context's data that are for the glue and not for the code.
const aside = { __proto__: null, env: 1, previous: 1, keepsFirst: 1 };

let open;
let currentHost;
let currentServices;
// How long before the limit of the call its signal tells that the time is up, in ms.
const SIGNAL_AHEAD = 100;

let signalTimer;
let isStreaming = false;

/** The signal of a call, made when it is first asked for. */
const timeSignal = () => {
  const { signal, abort } = web().signal();
  if (isStreaming) return signal;
  const id = signalTimer = ++lastTimer;
  const left = native.left() - SIGNAL_AHEAD;
  const wait = left > 0 ? left : 0;
  timers[id] = { __proto__: null, callback: () => abort(new Error('The time limit of the call is near')), rest: [], wait, repeat: false };
  native.timer(id, wait);
  return signal;
};

/**
 * `body` is the function to call, or undefined for the registered handler of that number. `args` ends where `context` and `services` are
 * added; `exchange` is 0, or 1 and 2 for a request without and with a body. Answers the promise of what was called.
 */
const run = (body, args, data, handler, exchange) => {
  if (open !== undefined && !open.closed) throw new TypeError('One call at a time');
  timers = { __proto__: null };
  calls = { __proto__: null };
  flows = { __proto__: null };
  openFlows = 0;
  queue = { __proto__: null };
  queueHead = queueTail = openCalls = lastCall = 0;
  const opened = openHost();
  open = opened.state;
  currentHost = opened.host;
  held = false;
  signalTimer = undefined;
  isStreaming = false;
  forgetCall();
  const context = {};
  const keys = ObjectKeys(data);
  for (let i = 0; i < keys.length; i++) if (!(keys[i] in aside)) put(context, keys[i], deepFreeze(data[keys[i]]));
  // `tx` is the id of the open transaction that these services belong to, if they belong to one; `path` the custom services whose start
  // they are made for, and `instances` those that there are.
  const make = (tx, path, instances = { __proto__: null }) => {
    const services = {};
    for (let i = 0; i < serviceNames.length; i++) {
      let made = false;
      let service;
      ObjectDefineProperty(services, serviceNames[i], {
        __proto__: null,
        enumerable: true,
        configurable: true,
        get() {
          if (!made) {
            service = native.service(i)(opened.host, primordials, {
              __proto__: null, tx, make, data, log: native.log, part: native.part, path, instances, web,
              flow: (method, args, source, signal) => openFlow(opened, method, args, source, signal),
            });
            if (isObject(service)) ObjectFreeze(service);
            made = true;
          }
          return service;
        },
      });
    }
    return ObjectFreeze(services);
  };
  const services = currentServices = make(undefined);
  put(context, 'services', services);
  let signal;
  ObjectDefineProperty(context, 'signal', { __proto__: null, enumerable: true, configurable: false, get: () => signal ??= timeSignal() });
  ObjectFreeze(context);
  const first = args[0];
  if (data.previous) put(args[1], 'previous', async () => opened.host('meta.previous', {}));
  if (exchange !== 0) put(args, 0, openRequest(args[0], exchange === 2));
  put(args, args.length, context);
  // In a body the services are a variable of their own; a handler has them in its context.
  if (body !== undefined) put(args, args.length, services);
  const promise = called(body ?? handlers[handler], args);
  if (exchange !== 0) PromiseThen(promise, tryRespond, failOrRespond);
  // A filter that returns nothing has changed its payload in place, or not at all.
  else if (data.keepsFirst) PromiseThen(promise, (value) => done(value === undefined ? first : value, 'payload'), failed);
  else PromiseThen(promise, (value) => done(value, 'result'), failed);
  return promise;
};

/** A handler may answer at once, by a promise, or throw. */
const called = (handler, args) => {
  try {
    const result = ReflectApply(handler, undefined, args);
    return native.isPromise(result) ? result : new Promise((resolve) => resolve(result));
  } catch (error) {
    return rejected(error);
  }
};

/** Nothing of the call that ended reaches the host again. */
const close = () => {
  open.closed = true;
};

return { __proto__: null, run, settle, fire, close, feed, load, loaded, waiting };
