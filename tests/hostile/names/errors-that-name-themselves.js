// Codes, statuses and fields of a thrown error: the code is the author's, a status that is no error isn't taken.
// expect: 400 __proto__
// timeout: 2000
const e = Object.assign(new Error('mine'), {
  status: 200,
  code: '__proto__',
  extensions: { code: 'FORBIDDEN' },
  errors: [],
  message: 'mine',
});
throw Object.defineProperty(e, 'stack', { value: 5 });
