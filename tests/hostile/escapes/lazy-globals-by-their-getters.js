// The getters that load parts of the web platform, called on anything, define what they define and no more.
// expect: 201
// timeout: 2000
for (const name of Object.getOwnPropertyNames(globalThis)) {
  const d = Object.getOwnPropertyDescriptor(globalThis, name);
  if (!d.get) continue;
  for (const self of [
    undefined,
    null,
    {},
    Object.freeze({}),
    new Proxy(
      {},
      {
        defineProperty() {
          throw new Error('no');
        },
      },
    ),
    5,
  ]) {
    try {
      d.get.call(self);
    } catch {}
    try {
      d.set?.call(self, 1);
    } catch {}
  }
  if (/native|kit/.test(String(Reflect.ownKeys(d.get)))) throw new Error('reached');
}
