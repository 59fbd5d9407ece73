await check('DOMException', () => {
  const codes = { IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5, NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11, SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18, NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24, DataCloneError: 25, EncodingError: 0, NotReadableError: 0, OperationError: 0, NotAllowedError: 0, DataError: 0 };
  for (const name in codes) { const e = new DOMException('m', name); eq([e.name, e.message, e.code], [name, 'm', codes[name]]); }
  const e = new DOMException(); eq([e.name, e.message, e.code], ['Error', '', 0]);
  ok(e instanceof Error && e instanceof DOMException && typeof e.stack === 'string', 'an error'); eq(DOMException.DATA_CLONE_ERR, 25); eq(e.ABORT_ERR, 20); eq(String(new DOMException('m', 'AbortError')), 'AbortError: m');
  eq(Object.prototype.toString.call(e), '[object DOMException]');
});
await check('structuredClone', async () => {
  const buffer = new ArrayBuffer(8); const given = { a: new Uint8Array(buffer, 2, 3), b: new Float32Array(buffer), v: new DataView(buffer, 1, 2), s: new Set([1]), m: new Map([['k', { x: 1n }]]), d: new Date(5), r: /a(b)/gi, n: null, u: undefined, e: new RangeError('far', { cause: 1 }), w: Object('text'), h: [1, , 3] };
  given.self = given;
  const copy = structuredClone(given);
  ok(copy !== given && copy.self === copy && copy.a.buffer === copy.b.buffer && copy.v.buffer === copy.a.buffer && copy.a.buffer !== buffer, 'shared as before');
  eq([copy.a.byteOffset, copy.a.length, copy.b.length, copy.v.byteOffset, copy.v.byteLength], [2, 3, 2, 1, 2]); copy.a[0] = 7; eq(new Uint8Array(buffer)[2], 0);
  eq([copy.s.has(1), copy.m.get('k').x, copy.d.getTime(), String(copy.r), copy.n, copy.u, String(copy.w), 1 in copy.h], [true, 1n, 5, '/a(b)/gi', null, undefined, 'text', false]);
  ok(copy.e instanceof RangeError && copy.e.message === 'far' && copy.e.cause === 1, 'the error'); ok(copy.w instanceof String && copy.d instanceof Date, 'boxed');
  const file = new File(['content'], 'a.txt', { type: 'text/plain', lastModified: 9 }); const [f, b] = structuredClone([file, new Blob(['blob'])]);
  ok(f instanceof File && f !== file && !(b instanceof File), 'classes'); eq([f.name, f.type, f.lastModified, await f.text(), await b.text()], ['a.txt', 'text/plain', 9, 'content', 'blob']);
  const key = await crypto.subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', false, ['encrypt']); const other = structuredClone({ key }).key;
  ok(other instanceof CryptoKey && other !== key && !other.extractable, 'a key'); eq(other.usages, ['encrypt']);
  const error = structuredClone(new DOMException('gone', 'AbortError')); eq([error.name, error.message, error.code, error instanceof DOMException], ['AbortError', 'gone', 20, true]);
  for (const wrong of [() => {}, Symbol('s'), new WeakMap(), Promise.resolve(), new URL('http://h/'), new Headers(), new AbortController(), new ReadableStream(), { a: [new EventTarget()] }, Object(Symbol())]) eq(throws(() => structuredClone(wrong), DOMException, 'could not be cloned').code, 25);
  throws(() => structuredClone(), TypeError); throws(() => structuredClone(1, 1), TypeError);
});
await check('transfer', () => {
  const buffer = new Uint8Array([1, 2, 3]).buffer; const view = new Uint8Array(buffer); const kept = new ArrayBuffer(4);
  const copy = structuredClone({ view, kept }, { transfer: [buffer] });
  eq([...copy.view], [1, 2, 3]); eq([buffer.byteLength, view.length, buffer.detached, kept.detached, copy.kept.byteLength], [0, 0, true, false, 4]);
  const named = (f) => eq(throws(f, DOMException).name, 'DataCloneError');
  named(() => structuredClone(1, { transfer: [buffer] })); named(() => structuredClone(1, { transfer: [kept, kept] })); named(() => structuredClone(1, { transfer: [{}] })); named(() => structuredClone(buffer));
  named(() => structuredClone({ kept, f() {} }, { transfer: [kept] })); eq(kept.detached, false, 'given away although it failed');
  eq(structuredClone(kept, { transfer: [] }).byteLength, 4);
});
await check('performance', async () => {
  const start = performance.now(); ok(start >= 0 && performance.timeOrigin > 1.6e12 && Math.abs(performance.timeOrigin + start - Date.now()) < 1000, 'times');
  const a = performance.mark('a'); eq([a.name, a.entryType, a.duration, a.detail], ['a', 'mark', 0, null]); performance.mark('b', { startTime: 5, detail: { x: 1 } });
  const m = performance.measure('m', 'b', 'a'); eq([m.startTime, m.duration, m.entryType], [5, a.startTime - 5, 'measure']);
  eq(performance.measure('n', { start: 1, duration: 2 }).startTime, 1); eq(performance.getEntriesByName('b')[0].detail, { x: 1 }); eq(performance.getEntriesByType('measure').map((e) => e.name), ['n', 'm']);
  throws(() => performance.measure('x', 'missing'), DOMException, 'missing'); performance.clearMarks('a'); eq(performance.getEntriesByType('mark').length, 1); performance.clearMarks(); performance.clearMeasures(); eq(performance.getEntries(), []);
  for (let i = 0; i < 1100; i++) performance.mark('m' + i); eq(performance.getEntries().length, 1000); eq(performance.getEntriesByName('m0').length, 0);
});
await check('what is shown', () => {
  class Own { constructor() { this.a = 1; } }
  const { inspect } = globalThis.shown ?? {};
  if (inspect === undefined) fail('no inspect');
  eq(inspect(new URL('http://h/p?q')), 'URL { href: "http://h/p?q" }'); eq(inspect(new URLSearchParams('a=1&b=2')), 'URLSearchParams { "a" => "1", "b" => "2" }'); eq(inspect(new Headers({ a: 'b' })), 'Headers { "a" => "b" }');
  eq(inspect(new Own()), 'Own { a: 1 }'); eq(inspect(Object.create(null)), '[Object: null prototype] {}'); eq(inspect({}), '{}'); eq(inspect(new Blob(['xy'], { type: 'a/b' })), 'Blob { size: 2, type: "a/b" }');
  eq(inspect(new File(['x'], 'n')), 'File { name: "n", size: 1, type: "" }'); eq(inspect(new Request('http://h/')), 'Request { method: "GET", url: "http://h/" }'); eq(inspect(new Response('x', { status: 201 })), 'Response { status: 201 }');
  eq(inspect(AbortSignal.abort(1)), 'AbortSignal { aborted: true }'); eq(inspect(new AbortController()), 'AbortController { signal: AbortSignal { aborted: false } }'); eq(inspect(new TextDecoder('latin1')), 'TextDecoder { encoding: "windows-1252" }');
  eq(inspect(new ReadableStream()), 'ReadableStream { locked: false }'); eq(inspect(new FormData()), 'FormData {}'); eq(inspect(new ArrayBuffer(3)), 'ArrayBuffer { byteLength: 3 }'); eq(inspect(new Event('x')), 'Event { type: "x" }');
  ok(inspect(new DOMException('gone', 'AbortError')).startsWith('AbortError: gone'), 'the exception'); ok(!inspect({ get a() { throw 1; } }).includes('throw'), 'no getter runs');
});
await check('others', () => {
  throws(() => reportError(), TypeError); reportError(new Error('heard')); throws(() => queueMicrotask(1), TypeError);
  const order = []; queueMicrotask(() => order.push(2)); order.push(1); eq(order, [1]);
});
