// What a test of a custom service is given: `api` to reach the service, `assert` to say what must hold.
const same = (a, b) => {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof Map || a instanceof Set) return a.size === b.size && same([...a], [...b]);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
};
const shown = (value) => {
  try {
    const text = JSON.stringify(value);
    return text === undefined ? String(value) : text.length > 500 ? text.slice(0, 500) + '…' : text;
  } catch {
    return String(value);
  }
};
const fail = (message, expected, actual, more) => {
  const error = new Error((message ? message + ': ' : '') + more);
  error.name = 'AssertionError';
  error.expected = shown(expected);
  error.actual = shown(actual);
  throw error;
};
const fits = (error, wanted, message) => {
  const text = String(error?.message ?? error);
  const is = wanted === undefined || (typeof wanted === 'string' && text.includes(wanted)) || (wanted instanceof RegExp && wanted.test(text))
    || (typeof wanted === 'function' && (error instanceof wanted)) || (wanted !== null && typeof wanted === 'object' && !(wanted instanceof RegExp)
    && Object.keys(wanted).every((key) => same(error?.[key], wanted[key])));
  if (!is) fail(message, wanted, text, 'it was refused with something else: ' + text);
};
const assert = (value, message) => value ? undefined : fail(message, true, value, 'it is ' + shown(value));
Object.assign(assert, {
  ok: assert,
  equal: (actual, expected, message) => Object.is(actual, expected) ? undefined : fail(message, expected, actual, shown(actual) + ' is not ' + shown(expected)),
  notEqual: (actual, other, message) => Object.is(actual, other) ? fail(message, other, actual, 'it is ' + shown(other)) : undefined,
  deepEqual: (actual, expected, message) => same(actual, expected) ? undefined : fail(message, expected, actual, shown(actual) + ' is not ' + shown(expected)),
  notDeepEqual: (actual, other, message) => same(actual, other) ? fail(message, other, actual, 'it is ' + shown(other)) : undefined,
  match: (text, pattern, message) => pattern.test(text) ? undefined : fail(message, String(pattern), text, shown(text) + ' does not match ' + pattern),
  fail: (message) => fail(undefined, undefined, undefined, message ?? 'it came here'),
  throws: (run, wanted, message) => {
    try { run(); } catch (error) { return fits(error, wanted, message); }
    fail(message, 'an error', undefined, 'nothing was thrown');
  },
  rejects: async (run, wanted, message) => {
    try { await (typeof run === 'function' ? run() : run); } catch (error) { return fits(error, wanted, message); }
    fail(message, 'a rejection', undefined, 'nothing was refused');
  },
});
return {
  run: async (name, test) => {
    const cleanups = [];
    const instance = await services.custom(name);
    const call = async (method, ...args) => {
      if (typeof instance[method] !== 'function') throw new TypeError("'" + name + "' has no function '" + String(method) + "'");
      return instance[method](...args);
    };
    const cleanup = (run) => void cleanups.push(run);
    try {
      return await test({ instance, call, cleanup, services }, assert);
    } finally {
      for (const run of cleanups.reverse()) await run();
    }
  },
};
