await check('listeners', () => {
  const t = new EventTarget(); const log = [];
  const first = (e) => log.push(`first ${e.type} ${e.target === t} ${e.currentTarget === t} ${e.eventPhase}`);
  t.addEventListener('x', first); t.addEventListener('x', first);
  t.addEventListener('x', { handleEvent(e) { log.push(`object ${this.handleEvent !== undefined}`); } });
  t.addEventListener('x', () => log.push('capture'), true);
  t.addEventListener('x', () => log.push('once'), { once: true });
  const e = new Event('x');
  eq(t.dispatchEvent(e), true);
  eq(log, ['capture', 'first x true true 2', 'object true', 'once']);
  eq([e.eventPhase, e.currentTarget, e.target === t, e.isTrusted, e.composedPath()], [0, null, true, false, []]);
  log.length = 0; t.removeEventListener('x', first); t.dispatchEvent(e); eq(log, ['capture', 'object true']);
  t.addEventListener('n', null);
  throws(() => t.addEventListener('n'), TypeError); throws(() => t.addEventListener('n', 'f'), TypeError); throws(() => t.dispatchEvent({}), TypeError);
});
await check('stopping and preventing', () => {
  const t = new EventTarget(); const log = [];
  t.addEventListener('x', (e) => { log.push(1); e.stopImmediatePropagation(); e.preventDefault(); });
  t.addEventListener('x', () => log.push(2));
  eq(t.dispatchEvent(new Event('x', { cancelable: true })), false); eq(t.dispatchEvent(new Event('x')), true); eq(log, [1, 1]);
  const p = new EventTarget(); p.addEventListener('x', (e) => e.preventDefault(), { passive: true });
  eq(p.dispatchEvent(new Event('x', { cancelable: true })), true);
  const again = new EventTarget(); again.addEventListener('x', (e) => throws(() => again.dispatchEvent(e), DOMException, 'dispatched'));
  again.dispatchEvent(new Event('x'));
});
await check('changes while it runs', () => {
  const t = new EventTarget(); const log = [];
  const later = () => log.push('later');
  t.addEventListener('x', () => { t.removeEventListener('x', later); t.addEventListener('x', () => log.push('new')); });
  t.addEventListener('x', later); t.dispatchEvent(new Event('x')); eq(log, []);
  t.dispatchEvent(new Event('x')); eq(log, ['new']);
});
await check('a listener that throws stops nobody', () => {
  const t = new EventTarget(); let heard = 0;
  t.addEventListener('x', () => { throw new Error('mine'); }); t.addEventListener('x', () => heard++);
  t.dispatchEvent(new Event('x')); eq(heard, 1);
});
await check('events', () => {
  const c = new CustomEvent('c', { detail: { a: 1 }, bubbles: true });
  eq([c.detail.a, c.bubbles, c.type, new CustomEvent('d').detail], [1, true, 'c', null]);
  ok(c instanceof Event && Event.AT_TARGET === 2 && c.BUBBLING_PHASE === 3, 'constants');
  throws(() => new Event(), TypeError); throws(() => Event('x'), TypeError);
  class Mine extends EventTarget { fire() { return this.dispatchEvent(new Event('mine')); } }
  const m = new Mine(); let n = 0; m.addEventListener('mine', () => n++); m.fire(); eq(n, 1);
  eq(Object.prototype.toString.call(c), '[object CustomEvent]');
});
await check('AbortController', () => {
  const c = new AbortController(); const log = [];
  ok(c.signal instanceof AbortSignal && c.signal instanceof EventTarget && c.signal === c.signal, 'a signal');
  c.signal.onabort = function (e) { log.push(`on ${e.type} ${this === c.signal} ${e.isTrusted}`); };
  c.signal.addEventListener('abort', () => log.push('listener'));
  eq([c.signal.aborted, c.signal.reason], [false, undefined]); c.signal.throwIfAborted();
  c.abort(); c.abort('twice');
  eq(log, ['on abort true true', 'listener']); eq([c.signal.aborted, c.signal.reason.name, c.signal.reason.code], [true, 'AbortError', 20]);
  ok(c.signal.reason instanceof DOMException && c.signal.reason instanceof Error, 'a DOMException');
  throws(() => c.signal.throwIfAborted(), DOMException);
  const d = new AbortController(); d.abort('why'); eq(d.signal.reason, 'why');
  throws(() => new AbortSignal(), TypeError);
  eq([AbortSignal.abort().aborted, AbortSignal.abort(5).reason], [true, 5]);
  const t = new EventTarget(); let n = 0; const e = new AbortController();
  t.addEventListener('x', () => n++, { signal: e.signal }); t.dispatchEvent(new Event('x')); e.abort(); t.dispatchEvent(new Event('x')); eq(n, 1);
  t.addEventListener('x', () => n++, { signal: e.signal }); t.dispatchEvent(new Event('x')); eq(n, 1);
  throws(() => t.addEventListener('x', () => n, { signal: {} }), TypeError);
  const h = new AbortController(); h.signal.onabort = () => n++; h.signal.onabort = null; h.abort(); eq([n, h.signal.onabort], [1, null]);
});
await check('any', () => {
  const a = new AbortController(), b = new AbortController();
  const any = AbortSignal.any([a.signal, b.signal]); const second = AbortSignal.any([any]);
  const order = []; any.addEventListener('abort', () => order.push(second.aborted)); second.onabort = () => order.push('second');
  a.signal.addEventListener('abort', () => order.push(any.aborted));
  b.abort('b'); a.abort('a');
  eq([any.reason, second.reason, order], ['b', 'b', [true, 'second', true]]);
  eq(AbortSignal.any([]).aborted, false); eq(AbortSignal.any(new Set([AbortSignal.abort(1)])).reason, 1);
  throws(() => AbortSignal.any([1]), TypeError); throws(() => AbortSignal.any(), TypeError);
});
await check('timeout', async () => {
  const s = AbortSignal.timeout(1);
  await new Promise((resolve) => { s.onabort = resolve; });
  eq([s.reason.name, s.reason.code], ['TimeoutError', 23]);
  throws(() => AbortSignal.timeout(-1), TypeError); throws(() => AbortSignal.timeout(), TypeError); throws(() => AbortSignal.timeout(NaN), TypeError);
});
