// for await over a source that always has more.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const source = {
  [Symbol.asyncIterator]() {
    return this;
  },
  next: async () => ({ done: false, value: 1 }),
};
for await (const x of source) {
}
