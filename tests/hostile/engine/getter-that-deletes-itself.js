// Accessors that remove themselves, their object's shape and its prototype while they run.
// expect: 201
// timeout: 2000
for (let n = 0; n < 1000; n++) {
  const o = {
    a: 1,
    get b() {
      delete o.b;
      delete o.a;
      Object.setPrototypeOf(o, null);
      for (let i = 0; i < 20; i++) o[`k${i}`] = i;
      return o;
    },
    c: 3,
  };
  o.b.c;
  for (const k in o) delete o[k];
}
