// More lines than anybody reads.
// expect: 504 EXTENSION_TIMEOUT
for (;;) console.log('x'.repeat(10000));
