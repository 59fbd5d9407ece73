// quickjs-ng d98ff10: push on what is an array no longer when its length is written.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 500; n++) {
  const a = [1, 2, 3];
  const p = new Proxy(a, {
    set(t, k, v) {
      if (k !== 'length') t.length = 0;
      t[k] = v;
      return true;
    },
    get(t, k) {
      if (k === 'length') {
        t.push(...new Array(20));
      }
      return t[k];
    },
  });
  try {
    Array.prototype.push.call(p, {}, {}, {});
  } catch {}
}
