// A built-in of milliseconds, ten thousand times between two looks at the clock.
// expect: 504 EXTENSION_TIMEOUT
const a = new Array(100000).fill(1);
for (;;) a.copyWithin(1, 0);
