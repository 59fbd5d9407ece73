// An error whose list of errors is a proxy of a liar.
// expect: 400 EXTENSION_ERROR | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT
throw new AggregateError(new Proxy([1, 2], { get: (t, k) => (k === 'length' ? 100 : t[k]) }), 'many');
