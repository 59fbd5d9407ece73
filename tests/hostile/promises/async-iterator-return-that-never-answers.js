// Leaving a loop waits for the iterator's return.
// expect: 504 EXTENSION_TIMEOUT
const source = { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false }), return: () => new Promise(() => {}) }) };
for await (const x of source) break;
