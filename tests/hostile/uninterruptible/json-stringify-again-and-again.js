// A large value written in a loop.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = new Array(20000).fill([1, { a: 2 }]);
for (;;) JSON.stringify(a);
