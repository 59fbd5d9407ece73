// Names removed, added and shadowed while they are walked.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
const proto = { x: 1, y: 2 };
const o = Object.assign(Object.create(proto), Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, i])));
let n = 0;
for (const k in o) {
  delete o[`k${n + 1}`];
  o[`new${n}`] = 1;
  proto[`p${n}`] = 1;
  if (++n === 100) Object.setPrototypeOf(o, new Proxy({}, { ownKeys: () => ['z', 'z2'], getOwnPropertyDescriptor: () => undefined }));
  if (n > 3000) break;
}
