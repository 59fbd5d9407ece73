// A format text of a hundred thousand directives.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
console.log('%s%d%i%f%j%o%O%c%%'.repeat(20000), ...new Array(1000).fill({}));
