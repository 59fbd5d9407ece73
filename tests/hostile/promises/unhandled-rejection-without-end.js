// A rejection in every job.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
for (;;) {
  Promise.reject(new Error('again'));
  await null;
}
