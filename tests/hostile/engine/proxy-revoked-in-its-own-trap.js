// A proxy that ceases to be one while a trap runs.
// expect: 201
// timeout: 2000
for (const trap of [
  'get',
  'set',
  'has',
  'ownKeys',
  'getOwnPropertyDescriptor',
  'defineProperty',
  'deleteProperty',
  'getPrototypeOf',
  'apply',
  'construct',
]) {
  const { proxy, revoke } = Proxy.revocable(function () {}, {
    [trap]() {
      revoke();
      return trap === 'ownKeys' ? ['a'] : trap === 'construct' ? {} : undefined;
    },
  });
  for (const f of [
    () => proxy.x,
    () => {
      proxy.x = 1;
    },
    () => 'x' in proxy,
    () => ({ ...proxy }),
    () => Object.defineProperty(proxy, 'x', { value: 1 }),
    () => delete proxy.x,
    () => proxy instanceof Object,
    () => proxy(),
    () => new proxy(),
  ]) {
    try {
      f();
    } catch {}
  }
}
