const source = (...chunks) => new ReadableStream({ pull(c) { if (chunks.length) c.enqueue(chunks.shift()); else c.close(); } });

await check('reading', async () => {
  const s = new ReadableStream({ start(c) { c.enqueue('a'); c.enqueue('b'); c.close(); } });
  eq(s.locked, false);
  const r = s.getReader();
  ok(r instanceof ReadableStreamDefaultReader && s.locked, 'locked by a reader');
  eq([await r.read(), await r.read(), await r.read()], [{ value: 'a', done: false }, { value: 'b', done: false }, { value: undefined, done: true }]);
  eq(await r.closed, undefined);
  throws(() => s.getReader(), TypeError, 'locked');
  r.releaseLock(); eq(s.locked, false); r.releaseLock();
  await rejects(r.read(), TypeError, 'released'); await rejects(r.closed, TypeError, 'released'); await rejects(r.cancel(), TypeError, 'released');
  eq(await s.getReader().read(), { value: undefined, done: true });
  ok(new ReadableStreamDefaultReader(source(1)) instanceof ReadableStreamDefaultReader, 'made from a stream');
  throws(() => new ReadableStreamDefaultReader({}), TypeError);
});
await check('pull is asked as the strategy says', async () => {
  let pulls = 0;
  const s = new ReadableStream({ pull(c) { pulls++; c.enqueue(pulls); } }, { highWaterMark: 3 });
  await turns(20); eq(pulls, 3);
  const r = s.getReader(); eq((await r.read()).value, 1); await turns(); eq(pulls, 4);
  let none = 0;
  const lazy = new ReadableStream({ pull(c) { none++; c.enqueue(none); } }, { highWaterMark: 0 });
  await turns(); eq(none, 0); eq((await lazy.getReader().read()).value, 1); eq(none, 1);
  let sized; const b = new ReadableStream({ start(c) { sized = c; } }, new ByteLengthQueuingStrategy({ highWaterMark: 10 }));
  eq(sized.desiredSize, 10); sized.enqueue(new Uint8Array(4)); eq(sized.desiredSize, 6); await b.getReader().read(); eq(sized.desiredSize, 10);
  eq([new CountQueuingStrategy({ highWaterMark: 2 }).size('x'), new CountQueuingStrategy({ highWaterMark: 2 }).highWaterMark], [1, 2]);
  throws(() => new CountQueuingStrategy(), TypeError); throws(() => new ReadableStream({}, { highWaterMark: -1 }), RangeError);
  throws(() => new ReadableStream({}, { highWaterMark: NaN }), RangeError); throws(() => new ReadableStream({}, { size: 1 }), TypeError);
  const bad = new ReadableStream({ start(c) { throws(() => c.enqueue(1), RangeError); } }, { size: () => -1 });
  await rejects(bad.getReader().read(), RangeError);
});
await check('one pull at a time', async () => {
  let open = 0, most = 0, n = 0;
  const s = new ReadableStream({ async pull(c) { most = Math.max(most, ++open); await turns(3); open--; c.enqueue(n++); if (n === 5) c.close(); } }, { highWaterMark: 5 });
  eq(await readAll(s), [0, 1, 2, 3, 4]); eq(most, 1);
});
await check('pending reads are answered in order', async () => {
  let c; const s = new ReadableStream({ start(x) { c = x; } }); const r = s.getReader();
  const all = Promise.all([r.read(), r.read(), r.read()]); c.enqueue(1); c.enqueue(2); c.close();
  eq((await all).map((x) => x.value), [1, 2, undefined]);
  const p = new ReadableStream({}).getReader(); const waiting = p.read(); p.releaseLock(); await rejects(waiting, TypeError, 'released');
});
await check('errors', async () => {
  const e = new Error('mine');
  for (const s of [new ReadableStream({ start: () => Promise.reject(e) }), new ReadableStream({ pull() { throw e; } }), new ReadableStream({ start(c) { c.enqueue(1); c.error(e); } })]) {
    const r = s.getReader(); await rejects(r.read(), Error, 'mine'); await rejects(r.closed, Error, 'mine'); await rejects(r.cancel(), Error, 'mine');
  }
  throws(() => new ReadableStream({ start() { throw e; } }), Error, 'mine');
  let c; new ReadableStream({ start(x) { c = x; } }); c.close(); throws(() => c.close(), TypeError); throws(() => c.enqueue(1), TypeError); c.error(e);
  eq(c.desiredSize, 0); let d; new ReadableStream({ start(x) { d = x; } }); d.error(e); eq(d.desiredSize, null);
  throws(() => new ReadableStream(null), TypeError); throws(() => new ReadableStream({ pull: 1 }), TypeError); throws(() => new ReadableStream({ type: 'x' }), TypeError);
  throws(() => new ReadableStreamDefaultController(), TypeError); throws(() => ReadableStream(), TypeError);
  await rejects(ReadableStream.prototype.cancel.call({}), TypeError); throws(() => ReadableStream.prototype.getReader.call({}), TypeError);
});
await check('cancelling', async () => {
  let why; const s = new ReadableStream({ start(c) { c.enqueue(1); }, cancel(r) { why = r; return 'ignored'; } });
  eq(await s.cancel('enough'), undefined); eq(why, 'enough'); eq(await readAll(s), []);
  const bad = new ReadableStream({ cancel() { throw new Error('cancel'); } }); await rejects(bad.cancel(), Error, 'cancel');
  const l = source(1); l.getReader(); await rejects(l.cancel(), TypeError, 'locked');
  let by; const t = new ReadableStream({ cancel(r) { by = r; } }); const r = t.getReader(); const read = r.read(); await r.cancel('r');
  eq([by, (await read).done], ['r', true]);
});
await check('for await', async () => {
  eq(await readAll(source(1, 2, 3)), [1, 2, 3]);
  let why = 'none'; const s = new ReadableStream({ start(c) { c.enqueue(1); c.enqueue(2); }, cancel(r) { why = r; } });
  for await (const chunk of s) { eq(chunk, 1); break; }
  eq([why, s.locked], [undefined, false]);
  let kept = true; const k = new ReadableStream({ start(c) { c.enqueue(1); c.enqueue(2); c.close(); }, cancel() { kept = false; } });
  for await (const chunk of k.values({ preventCancel: true })) { eq(chunk, 1); break; }
  eq([kept, await readAll(k)], [true, [2]]);
  const it = source('a', 'b').values(); const many = await Promise.all([it.next(), it.next(), it.next(), it.next()]);
  eq(many.map((x) => x.value), ['a', 'b', undefined, undefined]);
  await rejects(readAll(new ReadableStream({ start(c) { c.error(new Error('for')); } })), Error, 'for');
  ok(ReadableStream.prototype[Symbol.asyncIterator] === ReadableStream.prototype.values, 'the same function');
  eq(await it.return('x'), { value: 'x', done: true });
});
await check('from', async () => {
  eq(await readAll(ReadableStream.from([1, Promise.resolve(2)])), [1, 2]);
  eq(await readAll(ReadableStream.from((async function* () { yield 'x'; yield 'y'; })())), ['x', 'y']);
  eq(await readAll(ReadableStream.from('ab')), ['a', 'b']); eq(await readAll(ReadableStream.from(source(5))), [5]);
  let back; const s = ReadableStream.from({ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return(v) { back = v; return {}; } }) });
  const r = s.getReader(); await r.read(); await r.cancel('stop'); eq(back, 'stop');
  throws(() => ReadableStream.from(null), TypeError); throws(() => ReadableStream.from({}), TypeError);
  await rejects(readAll(ReadableStream.from((function* () { throw new Error('gen'); })())), Error, 'gen');
});
await check('tee', async () => {
  const [a, b] = source(1, 2).tee(); eq(await Promise.all([readAll(a), readAll(b)]), [[1, 2], [1, 2]]);
  let why; const s = new ReadableStream({ cancel(r) { why = r; } }); const [c, d] = s.tee(); ok(s.locked, 'locked');
  const one = c.cancel('c'); await turns(); eq(why, undefined); await d.cancel('d'); await one; eq(why, ['c', 'd']);
  const [e, f] = new ReadableStream({ start(x) { x.error(new Error('tee')); } }).tee(); await rejects(readAll(e), Error, 'tee'); await rejects(readAll(f), Error, 'tee');
  let pulls = 0; const [g] = new ReadableStream({ pull(x) { pulls++; x.enqueue(1); } }, { highWaterMark: 0 }).tee(); await g.getReader().read(); await turns(); ok(pulls <= 2, 'lazy');
  const [h, i] = source(1, 2, 3).tee(); const half = h.cancel(); await turns(); eq(await readAll(i), [1, 2, 3]); await half;
});
await check('bytes', async () => {
  let c; const s = new ReadableStream({ type: 'bytes', start(x) { c = x; } });
  eq(c.byobRequest, null); eq(c.desiredSize, 0); c.enqueue(new Uint16Array([0x4142])); throws(() => c.enqueue('x'), TypeError); throws(() => c.enqueue(new Uint8Array(0)), TypeError);
  const { value } = await s.getReader().read(); ok(value instanceof Uint8Array && value.length === 2, 'bytes');
  throws(() => new ReadableStream().getReader({ mode: 'byob' }), TypeError, 'getReader()'); throws(() => new ReadableStream({ type: 'bytes' }, { size() {} }), RangeError);
});
await check('a long queue', async () => {
  const s = new ReadableStream({ start(c) { for (let i = 0; i < 5000; i++) c.enqueue(i); c.close(); } });
  let sum = 0; for await (const n of s) sum += n; eq(sum, 12497500);
});
