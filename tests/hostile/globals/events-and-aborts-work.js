// EventTarget, Event, CustomEvent, AbortController and AbortSignal with timeout and any.
// expect: 201
// timeout: 2000
const t = new EventTarget();
let seen = '';
t.addEventListener(
  'x',
  (e) => {
    seen += e.detail;
  },
  { once: true },
);
t.dispatchEvent(new CustomEvent('x', { detail: 1 }));
t.dispatchEvent(new CustomEvent('x', { detail: 2 }));
const c = new AbortController();
const any = AbortSignal.any([c.signal, AbortSignal.timeout(1e6)]);
c.abort(new Error('why'));
if (seen !== '1' || !any.aborted || any.reason.message !== 'why') throw new Error('reached: an event');
if (context.signal.aborted) throw new Error('reached: the signal of the call');
