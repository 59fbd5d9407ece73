// Event, EventTarget, AbortController and AbortSignal. Targets have no tree: what is dispatched meets one target.
(native, kit, need) => {
'use strict';
const { DOMException, ObjectDefineProperty, ReflectApply, TypeError, isObject, report, setTimer } = kit;
const { list, string, tag, few, options, seen } = need('common');
const OWN = { __proto__: null };

const NONE = 0;
const AT_TARGET = 2;

let dispatch;
let isEvent;
let typeOfEvent;

class Event {
  #type;
  #bubbles;
  #cancelable;
  #composed;
  #timeStamp = native.now();
  #target = null;
  #phase = NONE;
  #stopped = false;
  #stoppedNow = false;
  #prevented = false;
  #passive = false;
  #running = false;
  #trusted = false;

  static {
    isEvent = (value) => isObject(value) && #type in value;
    typeOfEvent = (event) => event.#type;
    dispatch = (event, target, listeners, trusted) => {
      if (event.#running) throw new DOMException('The event is being dispatched already', 'InvalidStateError');
      event.#running = true;
      event.#target = target;
      event.#phase = AT_TARGET;
      event.#trusted = trusted;
      // As it is now: what is added meanwhile isn't called, what is removed meanwhile isn't called either.
      const snapshot = list();
      for (let i = 0; i < listeners.length; i++) snapshot[i] = listeners[i];
      for (let capturing = 1; capturing >= 0 && !event.#stopped; capturing--) {
        for (let i = 0; i < snapshot.length && !event.#stoppedNow; i++) {
          const entry = snapshot[i];
          if (entry.removed || entry.type !== event.#type || entry.capture !== (capturing === 1)) continue;
          if (entry.once) remove(listeners, entry);
          event.#passive = entry.passive;
          try {
            if (typeof entry.callback === 'function') ReflectApply(entry.callback, target, [event]);
            else {
              const handle = entry.callback.handleEvent;
              if (typeof handle !== 'function') throw new TypeError('An event listener is a function or has a function handleEvent');
              ReflectApply(handle, entry.callback, [event]);
            }
          } catch (error) {
            report('an event listener', error);
          }
          event.#passive = false;
        }
      }
      event.#phase = NONE;
      event.#running = event.#stopped = event.#stoppedNow = false;
      return !event.#prevented;
    };
  }

  constructor(type, init) {
    few(arguments.length, 1, 'Event');
    this.#type = string(type);
    const { bubbles, cancelable, composed } = options(init, 'Event');
    this.#bubbles = !!bubbles;
    this.#cancelable = !!cancelable;
    this.#composed = !!composed;
  }

  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#phase === NONE ? null : this.#target; }
  get eventPhase() { return this.#phase; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get defaultPrevented() { return this.#prevented; }
  get isTrusted() { return this.#trusted; }
  get timeStamp() { return this.#timeStamp; }
  get cancelBubble() { return this.#stopped; }
  set cancelBubble(value) { if (value) this.#stopped = true; }
  get returnValue() { return !this.#prevented; }
  set returnValue(value) { if (!value) this.preventDefault(); }
  composedPath() { return this.#phase === NONE ? [] : [this.#target]; }
  stopPropagation() { this.#stopped = true; }
  stopImmediatePropagation() { this.#stopped = this.#stoppedNow = true; }
  preventDefault() { if (this.#cancelable && !this.#passive) this.#prevented = true; }
  initEvent(type, bubbles = false, cancelable = false) {
    if (this.#running) return;
    this.#type = string(type);
    this.#bubbles = !!bubbles;
    this.#cancelable = !!cancelable;
    this.#stopped = this.#stoppedNow = this.#prevented = this.#trusted = false;
    this.#target = null;
  }
}
tag(Event, 'Event');
const phases = ['NONE', 'CAPTURING_PHASE', 'AT_TARGET', 'BUBBLING_PHASE'];
for (let i = 0; i < phases.length; i++) {
  const constant = { __proto__: null, value: i, enumerable: true };
  ObjectDefineProperty(Event, phases[i], constant);
  ObjectDefineProperty(Event.prototype, phases[i], constant);
}

class CustomEvent extends Event {
  #detail;
  constructor(type, init) {
    super(type, init);
    const { detail } = options(init, 'CustomEvent');
    this.#detail = detail === undefined ? null : detail;
  }
  get detail() { return this.#detail; }
}
tag(CustomEvent, 'CustomEvent');

const remove = (listeners, entry) => {
  entry.removed = true;
  let to = 0;
  for (let i = 0; i < listeners.length; i++) if (listeners[i] !== entry) listeners[to++] = listeners[i];
  listeners.length = to;
};

const find = (listeners, type, callback, capture) => {
  for (let i = 0; i < listeners.length; i++) {
    const entry = listeners[i];
    if (entry.type === type && entry.callback === callback && entry.capture === capture) return entry;
  }
  return undefined;
};

let isTarget;
let listenersOf;

class EventTarget {
  #listeners = list();

  static {
    isTarget = (value) => isObject(value) && #listeners in value;
    listenersOf = (target) => target.#listeners;
  }

  addEventListener(type, callback, init) {
    const listeners = this.#listeners;
    few(arguments.length, 2, 'EventTarget.addEventListener');
    const name = string(type);
    const given = isObject(init) ? init : { __proto__: null, capture: init };
    const { capture, once, passive, signal } = given;
    if (signal !== undefined && !isSignal(signal)) throw new TypeError('EventTarget.addEventListener: signal is an AbortSignal');
    if (callback === null || callback === undefined) return;
    if (!isObject(callback)) throw new TypeError('An event listener is a function or has a function handleEvent');
    if (signal !== undefined && isAborted(signal)) return;
    if (find(listeners, name, callback, !!capture) !== undefined) return;
    const entry = { __proto__: null, type: name, callback, capture: !!capture, once: !!once, passive: !!passive, removed: false };
    listeners[listeners.length] = entry;
    if (signal !== undefined) whenAborted(signal, () => remove(listeners, entry));
  }

  removeEventListener(type, callback, init) {
    const listeners = this.#listeners;
    few(arguments.length, 2, 'EventTarget.removeEventListener');
    const entry = find(listeners, string(type), callback, !!(isObject(init) ? init.capture : init));
    if (entry !== undefined) remove(listeners, entry);
  }

  dispatchEvent(event) {
    const listeners = this.#listeners;
    few(arguments.length, 1, 'EventTarget.dispatchEvent');
    if (!isObject(event) || !(kit.IsPrototypeOf(Event.prototype, event))) throw new TypeError('EventTarget.dispatchEvent takes an Event');
    return dispatch(event, this, listeners, false);
  }
}
tag(EventTarget, 'EventTarget');

let isSignal;
let isAborted;
let reasonOf;
let whenAborted;
let notAnyMore;
let abort;
let any;

class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  /** What the glue does then, before any listener. */
  #steps = list();
  /** Made by `any`: the signals that it follows and that follow nothing. */
  #sources;
  #dependents = list();
  #handler = null;
  #entry;

  static {
    isSignal = (value) => isObject(value) && #aborted in value;
    isAborted = (signal) => signal.#aborted;
    any = (given) => AbortSignal.#any(given);
    reasonOf = (signal) => signal.#reason;
    whenAborted = (signal, step) => {
      if (!signal.#aborted) signal.#steps[signal.#steps.length] = step;
    };
    notAnyMore = (signal, step) => {
      const steps = signal.#steps;
      let to = 0;
      for (let i = 0; i < steps.length; i++) if (steps[i] !== step) steps[to++] = steps[i];
      steps.length = to;
    };
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      const all = list();
      all[0] = signal;
      const mark = (one) => {
        one.#aborted = true;
        one.#reason = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
        reason = one.#reason;
      };
      mark(signal);
      // All know before anyone is told.
      for (let i = 0; i < signal.#dependents.length; i++) {
        const other = signal.#dependents[i];
        if (other.#aborted) continue;
        mark(other);
        all[all.length] = other;
      }
      for (let i = 0; i < all.length; i++) {
        const steps = all[i].#steps;
        all[i].#steps = list();
        all[i].#dependents = list();
        for (let k = 0; k < steps.length; k++) steps[k]();
        dispatch(new Event('abort'), all[i], listenersOf(all[i]), true);
      }
    };
  }

  constructor(own) {
    if (own !== OWN) throw new TypeError('An AbortSignal comes from an AbortController, AbortSignal.abort, .timeout or .any');
    super();
  }

  static abort(reason) {
    const signal = new AbortSignal(OWN);
    abort(signal, reason);
    return signal;
  }

  static timeout(milliseconds) {
    few(arguments.length, 1, 'AbortSignal.timeout');
    const ms = +milliseconds;
    if (!(ms >= 0 && ms <= 9007199254740991)) throw new TypeError('AbortSignal.timeout takes a number of milliseconds: ' + ms);
    const signal = new AbortSignal(OWN);
    setTimer(() => abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms, [], false);
    return signal;
  }

  static any(signals) {
    few(arguments.length, 1, 'AbortSignal.any');
    if (!isObject(signals)) throw new TypeError('AbortSignal.any takes a list of signals');
    const given = list();
    for (const signal of signals) {
      if (!isSignal(signal)) throw new TypeError('AbortSignal.any takes a list of signals');
      given[given.length] = signal;
    }
    return any(given);
  }

  static #any(given) {
    const made = new AbortSignal(OWN);
    for (let i = 0; i < given.length; i++) {
      if (given[i].#aborted) {
        made.#aborted = true;
        made.#reason = given[i].#reason;
        return made;
      }
    }
    made.#sources = list();
    const follow = (source) => {
      for (let i = 0; i < made.#sources.length; i++) if (made.#sources[i] === source) return;
      made.#sources[made.#sources.length] = source;
      source.#dependents[source.#dependents.length] = made;
    };
    for (let i = 0; i < given.length; i++) {
      const sources = given[i].#sources;
      if (sources === undefined) follow(given[i]);
      else for (let k = 0; k < sources.length; k++) follow(sources[k]);
    }
    return made;
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }

  get onabort() { return this.#handler; }
  set onabort(value) {
    const listeners = listenersOf(this);
    this.#handler = isObject(value) ? value : null;
    if (this.#handler === null) {
      if (this.#entry !== undefined) remove(listeners, this.#entry);
      this.#entry = undefined;
    } else if (this.#entry === undefined) {
      const callback = (event) => { if (typeof this.#handler === 'function') ReflectApply(this.#handler, this, [event]); };
      this.#entry = { __proto__: null, type: 'abort', callback, capture: false, once: false, passive: false, removed: false };
      listeners[listeners.length] = this.#entry;
    }
  }
}
tag(AbortSignal, 'AbortSignal');

let ofController;

class AbortController {
  #signal = new AbortSignal(OWN);
  static {
    ofController = (value) => (isObject(value) && #signal in value ? value.#signal : undefined);
  }
  get signal() { return this.#signal; }
  abort(reason) { abort(this.#signal, reason); }
}
tag(AbortController, 'AbortController');

/** A signal of its own that fires when another does, if there is one. */
const follow = (signal) => {
  const given = list();
  if (signal !== undefined) given[0] = signal;
  return any(given);
};

/** A signal and what fires it. */
const signal = () => {
  const made = new AbortSignal(OWN);
  return { __proto__: null, signal: made, abort: (reason) => abort(made, reason) };
};

const shown = (value) => {
  if (isEvent(value)) return seen('Event', { __proto__: null, type: typeOfEvent(value) });
  if (isSignal(value)) return seen('AbortSignal', { __proto__: null, aborted: isAborted(value) });
  const signal = ofController(value);
  if (signal !== undefined) return seen('AbortController', { __proto__: null, signal });
  return isTarget(value) ? seen('EventTarget', value) : undefined;
};

return {
  __proto__: null, shown, AbortController, AbortSignal, CustomEvent, Event, EventTarget, isSignal, isAborted, reasonOf, whenAborted, notAnyMore,
  follow, signal,
};
}
