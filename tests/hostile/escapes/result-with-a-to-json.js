// toJSON of a result is called on the result, with its name and nothing else.
// expect: 500 EXTENSION_FAILED | 201
// timeout: 2000
return {
  title: 'x',
  slug: {
    toJSON(...args) {
      return args.length === 1 && args[0] === 'slug' ? 'fine' : 'reached';
    },
  },
};
