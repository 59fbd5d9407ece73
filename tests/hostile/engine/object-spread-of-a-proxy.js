// Spread, assign and rest on a proxy whose keys repeat or are gone.
// expect: 201
// timeout: 2000
for (const keys of [['a', 'a'], ['length'], [Symbol.iterator, 'b'], Array.from({ length: 1000 }, (_, i) => `k${i}`)]) {
  const p = new Proxy({}, { ownKeys: () => keys, getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) });
  try {
    ({ ...p });
    Object.assign({}, p);
    const { a, ...rest } = p;
    Object.entries(p);
    structuredClone(p);
  } catch {}
}
