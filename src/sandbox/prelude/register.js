// Loading a unit of modules: what `register` is given writes down what there is, and keeps the handlers by number.
const MAX_HANDLERS = 2000;
let handlers = { __proto__: null };
let handlerCount = 0;
let registrations = [];
let registering = false;

/** Where the code that is running was called from, in the author's coordinates. */
const place = () => {
  const text = native.place(new Error('').stack);
  return text === undefined ? undefined : JSONParse(text);
};

const closed = (what) => {
  const error = new Error(what + ' belongs to register(): to stop what is registered, deactivate the extension instead');
  put(error, 'code', 'REGISTRATION_CLOSED');
  put(error, 'status', 400);
  return error;
};

// What the SDK is made with. A mistake is written down rather than thrown, so that all of them are told at once.
const registrar = ObjectFreeze({
  __proto__: null,
  /** Throws outside of register. */
  check(what) {
    if (!registering) throw closed(what);
  },
  /** Adds a registration, with the place where it was made. */
  add(entry) {
    put(entry, 'at', place());
    put(registrations, registrations.length, entry);
  },
  problem(message) {
    registrar.add({ kind: 'problem', message });
  },
  /** Keeps a handler; answers its number. */
  keep(handler) {
    if (handlerCount >= MAX_HANDLERS) throw new RangeError('An extension may register ' + MAX_HANDLERS + ' handlers');
    handlers[handlerCount] = handler;
    return handlerCount++;
  },
  /** Takes back the registrations that `matches` says yes to, given the entry and its handler. */
  remove(matches) {
    const kept = [];
    for (let i = 0; i < registrations.length; i++) {
      const entry = registrations[i];
      if (!matches(entry, handlers[entry.handler])) put(kept, kept.length, entry);
    }
    registrations = kept;
  },
  /** A service of `context.services` that acts for the system, in whichever call is running when it is used. */
  service(name) {
    let index = 0;
    while (serviceNames[index] !== name) index++;
    const host = (method, ...args) => {
      if (open === undefined || open.closed) {
        return rejected(new Error(method + ': a service of the SDK works while a handler runs, and none is running'));
      }
      return currentHost(method, ...args);
    };
    return native.service(index)(host, primordials, { __proto__: null, tx: undefined, make: undefined, data: {}, log: native.log, system: true });
  },
});

/** Waits for the modules, calls register and tells what came of it. */
const load = (evaluated, namespace) => {
  const registered = PromiseThen(evaluated, () => {
    const { register } = namespace;
    if (typeof register !== 'function') {
      throw new TypeError('The module must export a function called register: export function register(sdk) { … }');
    }
    registering = true;
    return register(native.sdk()(registrar, primordials));
  });
  PromiseThen(registered, () => {
    registering = false;
    native.done(registrations, 'registrations');
  }, (error) => {
    registering = false;
    fail(error);
  });
};

// What a unit mentions, as the compiler has seen it: bits.
const WANTS_WEB = 1;
const WANTS_CRYPTO = 2;
const WANTS_COMPRESSION = 4;

/** Loading is over: nothing that it left waiting goes on. `wants` has every call start with what the unit mentions in place. */
const loaded = (wants) => {
  timers = { __proto__: null };
  if (wants & WANTS_WEB) web();
  if (wants & WANTS_CRYPTO) need('crypto');
  if (wants & WANTS_COMPRESSION) need('compression');
};
