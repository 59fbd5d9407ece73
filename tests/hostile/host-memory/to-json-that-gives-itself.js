// toJSON whose result has a toJSON.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const o = {
  title: 'x',
  toJSON() {
    return {
      title: 'y',
      body: {
        toJSON() {
          return 'z';
        },
      },
      toJSON: o.toJSON,
    };
  },
};
return o;
