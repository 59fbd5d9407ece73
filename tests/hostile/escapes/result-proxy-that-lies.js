// A result whose keys and values disagree is what was read of it, or is refused.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
return new Proxy(
  { title: 'x' },
  {
    ownKeys: () => ['title', 'title2'],
    getOwnPropertyDescriptor: (t, k) => ({ value: 1, enumerable: k === 'title', configurable: true }),
    get: (t, k) => (k === 'title' ? 'y' : undefined),
  },
);
