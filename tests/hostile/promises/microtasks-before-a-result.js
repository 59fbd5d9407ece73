// Jobs without end do not keep a finished call from being over.
// expect: 201 | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const f = () => Promise.resolve().then(f);
f();
