// for await over a synchronous iterator of rejections.
// expect: 201
// timeout: 2000
let closed = 0;
const it = {
  [Symbol.iterator]: () => ({
    next: () => ({ done: false, value: Promise.reject(1) }),
    return() {
      closed++;
      return {};
    },
  }),
};
try {
  for await (const x of it) {
  }
} catch {}
