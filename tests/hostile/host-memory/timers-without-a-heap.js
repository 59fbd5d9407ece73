// Timers live outside the heap: so many and no more.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
for (;;) setTimeout(() => {}, 1e6);
