// Names that are looked up in an object of the author's are the author's own only.
// expect: 201
// timeout: 2000
const spied = [];
const scope = new Proxy(
  {},
  {
    has(t, k) {
      spied.push(k);
      return false;
    },
  },
);
try {
  Object.setPrototypeOf(globalThis, scope);
} catch {}
try {
  nosuchname;
} catch {}
await (await services.items('log')).readByQuery({ limit: 1 });
new URL('https://example.com');
const foreign = spied.filter((k) => typeof k === 'string' && /native|kit|host|open|handlers|primordial|calls|timers|queue/.test(k));
try {
  Object.setPrototypeOf(globalThis, Object.prototype);
} catch {}
if (foreign.length) throw new Error(`reached: ${foreign}`);
