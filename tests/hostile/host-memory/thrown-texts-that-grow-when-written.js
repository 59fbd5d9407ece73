// An error all parts of which are six times as long as JSON.
// expect: 400 EXTENSION_ERROR
// memory: 64
// timeout: 1000
const s = '\u0001'.repeat(1 << 16);
const cause = Object.assign(new Error(s), { name: s });
Object.defineProperty(cause, 'stack', { value: s });
const e = Object.assign(new Error(s, { cause }), { name: s, code: s, field: s.slice(0, 8000) });
Object.defineProperty(e, 'stack', { value: s });
throw e;
