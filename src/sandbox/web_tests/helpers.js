let passed = 0;
const failures = [];
const show = (value) => (typeof value === 'string' ? JSON.stringify(value) : typeof value === 'object' && value !== null ? JSON.stringify(value) ?? String(value) : String(value));
const fail = (what) => { throw new Error(what); };
const same = (a, b) => {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) { a = [...a]; b = [...b]; }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
};
const eq = (a, b, what = '') => { if (!same(a, b)) fail(`${what} is ${show(a)}, not ${show(b)}`); passed++; };
const ok = (value, what) => { if (!value) fail(`not ${what}`); passed++; };
const throws = (f, Type, text = '') => {
  try { f(); } catch (error) {
    if (!(error instanceof Type) || !error.message.includes(text)) fail(`threw ${error?.name}: ${error?.message}, not ${Type.name} ${text}`);
    passed++;
    return error;
  }
  return fail(`did not throw ${Type.name} ${text}: ${f}`);
};
const rejects = async (promise, Type, text = '') => {
  let error;
  try { await promise; } catch (e) { error = e; }
  if (error === undefined) fail(`was not rejected with ${Type.name} ${text}`);
  return throws(() => { throw error; }, Type, text);
};
const check = async (name, f) => {
  try { await f(); } catch (error) { failures.push(`${name}: ${error?.message} ${error?.stack ?? ''}`); }
};
const checked = () => { if (failures.length) throw new Error(failures.join('\n')); return `all good: ${passed} checks`; };
const bytes = (text) => new TextEncoder().encode(text);
const text = (b) => new TextDecoder().decode(b);
const turns = async (n = 10) => { for (let i = 0; i < n; i++) await undefined; };
const readAll = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return all; };
