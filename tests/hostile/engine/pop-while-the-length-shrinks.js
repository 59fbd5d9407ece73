// pop and shift on a proxy that shortens what they work on.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (const f of ['pop', 'shift', 'splice', 'unshift', 'reverse', 'copyWithin', 'fill', 'sort']) {
  const target = Array.from({ length: 100 }, (_, i) => ({ i }));
  const p = new Proxy(target, {
    get(t, k, r) {
      if (typeof k === 'string' && k !== f) t.length = Math.max(0, t.length - 1);
      return Reflect.get(t, k, r);
    },
  });
  try {
    p[f](0, 5);
  } catch {}
}
