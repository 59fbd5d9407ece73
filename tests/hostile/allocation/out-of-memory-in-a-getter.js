// The refusal is met while the result is written.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
return {
  get title() {
    const all = [];
    for (;;) {
      try {
        all.push(new Array(1000).fill(1));
      } catch {
        return all;
      }
    }
  },
};
