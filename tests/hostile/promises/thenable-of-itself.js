// A thenable that gives a new thenable, without end.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const next = () => ({
  then(done) {
    done(next());
  },
});
await next();
