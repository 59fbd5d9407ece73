// A row with a member then that is a function is a promise, and settles once.
// expect: 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 400 EXTENSION_ERROR
return {
  title: 'x',
  then(done, fail) {
    done({ title: done.constructor === Function ? 'fine' : 'reached', nosuch: 1 });
  },
};
