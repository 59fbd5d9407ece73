// Every member frozen, again and again.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
for (;;) Object.freeze(new Array(50000).fill(0));
