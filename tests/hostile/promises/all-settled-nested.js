// Results of results of results.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
let p = Promise.resolve(1);
for (;;) {
  p = Promise.allSettled([p, p]);
  await p;
}
