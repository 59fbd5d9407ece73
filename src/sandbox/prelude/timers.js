// Timers belong to the call that set them: its end takes them away.
let timers = { __proto__: null };
let lastTimer = 0;
// Whether a transaction of this call is open: others wait for it, so the call may not wait for anything but the database.
let held = false;

const transactionOpen = (what) => {
  const error = new Error(what + ' while a transaction is open: do this before the first write');
  put(error, 'code', 'TRANSACTION_OPEN');
  put(error, 'status', 400);
  // A refusal of the host's, though no call was made: uncaught it is a mistake of the author's, not their decision.
  WeakMapSet(refusals, error, 0);
  return error;
};

const setTimer = (callback, delay, rest, repeat) => {
  if (typeof callback !== 'function') throw new TypeError('The first argument of a timer is a function');
  if (held) throw transactionOpen('A timer can not be set');
  const id = ++lastTimer;
  const ms = +delay;
  const wait = ms >= 1 ? ms : repeat ? 1 : 0;
  native.timer(id, wait);
  timers[id] = { __proto__: null, callback, rest, wait, repeat };
  return id;
};
const clearTimer = (id) => {
  const number = typeof id === 'string' ? +id : id;
  if (typeof number !== 'number' || timers[number] === undefined) return;
  delete timers[number];
  native.clearTimer(number);
};
define(globalThis, 'setTimeout', function setTimeout(callback, delay, ...rest) { return setTimer(callback, delay, rest, false); });
define(globalThis, 'setInterval', function setInterval(callback, delay, ...rest) { return setTimer(callback, delay, rest, true); });
define(globalThis, 'clearTimeout', function clearTimeout(id) { clearTimer(id); });
define(globalThis, 'clearInterval', function clearInterval(id) { clearTimer(id); });

const fire = (id) => {
  const timer = timers[id];
  if (timer === undefined) return;
  if (timer.repeat) native.timer(id, timer.wait);
  else delete timers[id];
  try {
    ReflectApply(timer.callback, undefined, timer.rest);
  } catch (error) {
    report('a timer', error);
  }
};

define(globalThis, 'reportError', function reportError(error) {
  if (arguments.length === 0) throw new TypeError('reportError takes what was thrown');
  report('reportError', error);
});

const enqueue = globalThis.queueMicrotask;
define(globalThis, 'queueMicrotask', function queueMicrotask(callback) {
  if (typeof callback !== 'function') throw new TypeError('queueMicrotask takes a function');
  enqueue(() => {
    try {
      callback();
    } catch (error) {
      report('a microtask', error);
    }
  });
});
