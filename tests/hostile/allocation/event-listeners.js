// Listeners by the million.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 500 EXTENSION_FAILED
const t = new EventTarget();
for (;;) t.addEventListener('x', () => t);
