// Signals that follow one another.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
let s = new AbortController().signal;
for (;;) s = AbortSignal.any([s, new AbortController().signal]);
