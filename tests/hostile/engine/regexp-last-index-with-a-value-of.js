// A lastIndex whose conversion compiles the expression anew.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 200; n++) {
  const r = /a(b)c/g;
  r.lastIndex = {
    valueOf() {
      try {
        r.compile('(((((((((x)))))))))|y', 'g');
      } catch {}
      return 0;
    },
  };
  try {
    r.exec('abcabc');
  } catch {}
  try {
    r[Symbol.replace]('xyx', '$1$9');
  } catch {}
}
