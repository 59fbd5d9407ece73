// Commas for four thousand million holes.
// expect: 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY | 500 EXTENSION_FAILED
const a = [];
a.length = 2 ** 32 - 1;
a.join();
