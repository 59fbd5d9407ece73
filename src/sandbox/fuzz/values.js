let at = 0;
const next = () => (at < payload.length ? payload[at++] : 0);
const pool = [];
const text = () => {
  let out = '';
  for (let n = next() % 12; n > 0; n--) out += String.fromCharCode(next() | (next() & 0xF8) << 8);
  return out;
};
const number = () => {
  const bytes = new Uint8Array(8);
  for (let i = 0; i < 8; i++) bytes[i] = next();
  return new Float64Array(bytes.buffer)[0];
};
const key = () => ['a', '__proto__', 'toJSON', 'constructor', 'length', 'then', '0', '4294967295', text()][next() % 9];
const put = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
const filled = (object, depth) => {
  for (let n = next() % 5; n > 0; n--) put(object, key(), make(depth + 1));
  return object;
};
const list = (depth) => {
  const out = [];
  for (let n = next() % 5; n > 0; n--) out.push(make(depth + 1));
  return out;
};
const keep = (value) => {
  pool.push(value);
  return value;
};
const nested = (value) => {
  for (let n = next(); n > 0; n--) value = n & 1 ? [value] : { n: value };
  return value;
};
// Changes what is being walked while it is walked.
const meddle = () => {
  const victim = pool[next() % (pool.length + 1)];
  if (Array.isArray(victim)) victim.length = next() % 4;
  else if (victim) delete victim[Object.keys(victim)[0]];
  return next();
};
class Point {
  #hidden = 1;
  constructor(x) { this.x = x; }
  get hidden() { return this.#hidden; }
}
const makers = [
  () => null, () => undefined, () => true, () => next(), () => -next(), number, number, () => 1e21 * next(), text, text,
  () => 'x'.repeat(next() * 64), () => text() + 'y'.repeat(300) + text(),
  () => BigInt(next()) ** BigInt(next() % 40), () => -(2n ** 53n) + BigInt(next()), () => Symbol(text()), () => new Date(number()), () => new Date(next() * 1e9),
  (d) => filled(keep({}), d), (d) => filled(keep({}), d), list, (d) => keep(list(d)), (d) => filled(list(d), d),
  () => { const a = []; a[next()] = next(); return a; }, () => new Array(next() * next()),
  (d) => new Map([[text(), make(d + 1)]]), (d) => new Set(list(d)), () => new Uint8Array(next()), () => new ArrayBuffer(next()), () => new DataView(new ArrayBuffer(8)),
  () => () => 1, () => Point, (d) => new Point(make(d + 1)), (d) => new Proxy(filled({}, d), {}), (d) => new Proxy(list(d), {}),
  (d) => new Proxy(new Proxy(list(d), {}), { get: (t, k, r) => (k === 'length' ? next() : Reflect.get(t, k, r)) }),
  (d) => new Proxy(filled({}, d), { ownKeys: () => ['a', text(), 'b'], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: next() > 9, configurable: true }) }),
  () => new Proxy({}, { get: () => { throw new TypeError(text()); } }), () => { const r = Proxy.revocable([], {}); r.revoke(); return r.proxy; },
  (d) => { const o = filled(keep({}), d); Object.defineProperty(o, 'g', { enumerable: true, get: meddle }); return filled(o, d); },
  (d) => { const a = keep(list(d)); Object.defineProperty(a, '0', { enumerable: true, get: meddle }); return a; },
  (d) => ({ toJSON: () => make(d + 1) }), (d) => ({ toJSON: (k) => [k, make(d + 1)] }), () => ({ toJSON() { throw next(); } }), () => ({ toJSON() { return this; } }),
  () => Object(text()), () => Object(number()), () => Object(next() > 9), () => Object(BigInt(next())), () => Object(Symbol.iterator),
  () => new Error(text()), () => new RangeError(text(), { cause: pool[0] }), () => /a/gu, () => Promise.resolve(1), () => new WeakMap(), () => (function* () { yield 1; })(),
  (d) => filled(Object.create(null), d), (d) => Object.freeze(filled({}, d)), (d) => filled(Object.create(pool[0] ?? null), d), () => (function () { return arguments; })(next(), text()),
  () => pool[next() % (pool.length + 1)], () => pool[0], () => globalThis, () => JSON, () => Math, () => new URL('http://a/' + encodeURIComponent(text().toWellFormed())),
  (d) => nested(make(d + 1)), (d) => nested(keep({ deep: make(d + 1) })), (d) => { const o = keep({}); o.self = make(d + 1); return o; },
  (d) => { Object.prototype.toJSON = () => make(d + 1); return {}; }, () => { Array.prototype[0] = keep({ inherited: 1 }); return [, 1]; },
  (d) => { Date.prototype.toISOString = () => make(d + 1); return new Date(0); }, (d) => { BigInt.prototype.toJSON = () => make(d + 1); return 1n; },
  () => new (class extends Array {})(next() % 9), () => new (class extends Date {})(next()), () => Object.setPrototypeOf([next()], null), () => Object.setPrototypeOf(new Date(0), null),
];
const make = (depth) => (depth > 60 ? null : makers[next() % makers.length](depth));
return make(0);
