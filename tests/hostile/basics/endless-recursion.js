// The stack runs out.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
const f = () => f() + 1;
return f();
