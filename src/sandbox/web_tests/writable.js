await check('writing', async () => {
  const log = [];
  const s = new WritableStream({ start(c) { ok(c instanceof WritableStreamDefaultController, 'a controller'); }, write(x) { log.push(x); }, close() { log.push('close'); } });
  const w = s.getWriter(); ok(s.locked && w instanceof WritableStreamDefaultWriter, 'locked by a writer'); eq(w.desiredSize, 1);
  await w.write('a'); w.write('b'); eq(w.desiredSize, 0); await w.ready; await w.close(); eq(log, ['a', 'b', 'close']); eq([await w.closed, w.desiredSize], [undefined, 0]);
  await rejects(w.write('c'), TypeError, 'clos'); await rejects(w.close(), TypeError);
  throws(() => s.getWriter(), TypeError, 'locked'); w.releaseLock(); eq(s.locked, false); throws(() => w.desiredSize, TypeError, 'released'); await rejects(w.write(1), TypeError); await rejects(w.closed, TypeError);
  throws(() => new WritableStream({ type: 'x' }), RangeError); throws(() => new WritableStream(null), TypeError); throws(() => new WritableStreamDefaultController(), TypeError);
});
await check('writes one after the other, with backpressure', async () => {
  let open = 0, most = 0; const done = [];
  const s = new WritableStream({ async write(x) { most = Math.max(most, ++open); await turns(3); open--; done.push(x); } }, new CountQueuingStrategy({ highWaterMark: 2 }));
  const w = s.getWriter(); w.write(1); eq(w.desiredSize, 1); w.write(2); eq(w.desiredSize, 0); w.write(3); eq(w.desiredSize, -1);
  let ready = false; w.ready.then(() => { ready = true; }); await turns(2); eq(ready, false); await w.close(); eq([ready, most, done], [true, 1, [1, 2, 3]]);
});
await check('errors and abort', async () => {
  const e = new Error('mine');
  const s = new WritableStream({ write() { throw e; } }); const w = s.getWriter(); await rejects(w.write(1), Error, 'mine'); await rejects(w.closed, Error, 'mine'); await rejects(w.ready, Error, 'mine'); eq(w.desiredSize, null);
  let why, fired; const a = new WritableStream({ start(c) { c.signal.onabort = () => { fired = c.signal.reason; }; }, abort(r) { why = r; } });
  eq(await a.abort('stop'), undefined); eq([why, fired], ['stop', 'stop']); await rejects(a.getWriter().closed.catch((x) => { throw new Error(x); }), Error, 'stop');
  let c; const b = new WritableStream({ start(x) { c = x; } }); c.error(e); await turns(); await rejects(b.getWriter().write(1), Error, 'mine');
  const f = new WritableStream({ close() { throw e; } }); await rejects(f.close(), Error, 'mine');
  const locked = new WritableStream(); locked.getWriter(); await rejects(locked.close(), TypeError, 'locked'); await rejects(locked.abort(), TypeError, 'locked');
  throws(() => new WritableStream({ start() { throw e; } }), Error, 'mine');
  const g = new WritableStream({ start: () => Promise.reject(e) }); await rejects(g.getWriter().closed, Error, 'mine');
  const waiting = new WritableStream({ write: () => turns(5) }); const x = waiting.getWriter(); const one = x.write(1), two = x.write(2); two.catch(() => {}); await turns(2); const ab = x.abort(new Error('ab')); await one; await rejects(two, Error, 'ab'); await ab;
});
await check('pipeTo', async () => {
  const got = []; const source = (...xs) => ReadableStream.from(xs);
  let closed = 0; const sink = (o = {}) => new WritableStream({ write(x) { got.push(x); }, close() { closed++; }, ...o });
  const s = source(1, 2, 3), d = sink(); const p = s.pipeTo(d); ok(s.locked && d.locked, 'both locked'); eq(await p, undefined); eq([got, closed, s.locked, d.locked], [[1, 2, 3], 1, false, false]);
  const open = sink(); await source(4).pipeTo(open, { preventClose: true }); eq([closed, got.at(-1)], [1, 4]); await open.getWriter().write(5); eq(got.at(-1), 5);
  let aborted; await rejects(new ReadableStream({ start(c) { c.error(new Error('src')); } }).pipeTo(sink({ abort(r) { aborted = r.message; } })), Error, 'src'); eq(aborted, 'src');
  let cancelled; await rejects(new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { cancelled = r.message; } }).pipeTo(new WritableStream({ write() { throw new Error('dst'); } })), Error, 'dst'); eq(cancelled, 'dst');
  const c = new AbortController(); let both = []; const piped = new ReadableStream({ pull: () => new Promise(() => {}), cancel(r) { both.push('c' + r); } }).pipeTo(new WritableStream({ abort(r) { both.push('a' + r); } }), { signal: c.signal });
  c.abort('x'); await piped.catch((r) => both.push('p' + r)); eq(both, ['ax', 'cx', 'px']);
  const pre = AbortSignal.abort('early'); let early; await source(1).pipeTo(sink(), { signal: pre }).catch((r) => { early = r; }); eq(early, 'early');
  await rejects(source(1).pipeTo({}), TypeError); const l = source(1); l.getReader(); await rejects(l.pipeTo(sink()), TypeError, 'locked');
  const done = sink(); await done.close(); await rejects(source(1).pipeTo(done), TypeError, 'closed');
});
await check('transform', async () => {
  const log = []; const t = new TransformStream({ start(c) { c.enqueue('s'); ok(c instanceof TransformStreamDefaultController, 'a controller'); }, transform(x, c) { c.enqueue(x * 2); c.enqueue('-'); }, flush(c) { c.enqueue('end'); log.push('flush'); } });
  eq(await readAll(ReadableStream.from([1, 2]).pipeThrough(t)), ['s', 2, '-', 4, '-', 'end']); eq(log, ['flush']);
  eq(await readAll(ReadableStream.from(['as', 'is']).pipeThrough(new TransformStream())), ['as', 'is']);
  await rejects(readAll(ReadableStream.from([1]).pipeThrough(new TransformStream({ transform() { throw new Error('t'); } }))), Error, 't');
  await rejects(readAll(ReadableStream.from([1]).pipeThrough(new TransformStream({ flush() { throw new Error('f'); } }))), Error, 'f');
  eq(await readAll(ReadableStream.from([1, 2, 3]).pipeThrough(new TransformStream({ transform(x, c) { c.enqueue(x); if (x === 2) c.terminate(); } }))), [1, 2]);
  let reason; const x = new TransformStream({ cancel(r) { reason = r; } }); const w = x.writable.getWriter(); await x.readable.cancel('gone'); eq(reason, 'gone'); let wr; await w.write(1).catch((r) => { wr = r; }); eq(wr, 'gone');
  const y = new TransformStream({ start(c) { c.error(new Error('st')); } }); await rejects(y.readable.getReader().read(), Error, 'st'); await rejects(y.writable.getWriter().write(1), Error, 'st');
  throws(() => new TransformStream({ readableType: 'bytes' }), RangeError); throws(() => ReadableStream.from([1]).pipeThrough({}), TypeError);
});
await check('a transform holds back', async () => {
  const t = new TransformStream(); const w = t.writable.getWriter(); const r = t.readable.getReader(); let wrote = false;
  await turns(); w.write('a').then(() => { wrote = true; }); await turns(20); eq([wrote, w.desiredSize], [false, 0]);
  eq((await r.read()).value, 'a'); await turns(20); eq(wrote, true); w.close(); eq((await r.read()).done, true);
});
await check('text streams', async () => {
  const all = await readAll(ReadableStream.from(['a\uD83D', '\uDE00é', '', '\uD800']).pipeThrough(new TextEncoderStream()));
  eq(text(await new Response(ReadableStream.from(all)).bytes()), 'a😀é\uFFFD');
  const pieces = [...bytes('\uFEFFa😀é')].map((b) => new Uint8Array([b]));
  eq((await readAll(ReadableStream.from(pieces).pipeThrough(new TextDecoderStream()))).join(''), 'a😀é');
  await rejects(readAll(ReadableStream.from([new Uint8Array([0xC3])]).pipeThrough(new TextDecoderStream('utf-8', { fatal: true }))), TypeError);
  eq([new TextEncoderStream().encoding, new TextDecoderStream('latin1').encoding, new TextDecoderStream().fatal], ['utf-8', 'windows-1252', false]);
});
