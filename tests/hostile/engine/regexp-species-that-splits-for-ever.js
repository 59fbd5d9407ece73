// A splitter that never gets on.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 201 | 500 EXTENSION_FAILED
const r = /,/;
r.constructor = {
  [Symbol.species]: function () {
    return {
      exec: () => ({ length: 1, index: 0, 0: '' }),
      flags: '',
      set lastIndex(v) {},
      get lastIndex() {
        return 0;
      },
    };
  },
};
r[Symbol.split]('a,b,c');
