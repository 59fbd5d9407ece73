// More timers than a call may have.
// expect: 500 EXTENSION_FAILED
// timeout: 2000
for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1e6);
