// for await over a source that says nothing.
// expect: 504 EXTENSION_TIMEOUT
for await (const x of { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }) {
}
