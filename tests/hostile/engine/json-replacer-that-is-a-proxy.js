// A list of names that is a proxy.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
JSON.stringify(
  { a: 1, b: 2 },
  new Proxy(['a', 'b'], { get: (t, k) => (k === 'length' ? 1000 : k === 'toString' ? () => 'x' : String(k)) }),
);
try {
  JSON.rawJSON?.('{');
} catch {}
JSON.stringify({ x: JSON.rawJSON ? JSON.rawJSON('1') : 1 });
