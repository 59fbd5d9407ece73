// Each report of an uncaught error costs the host a line.
// expect: 504 EXTENSION_TIMEOUT
setInterval(() => {
  throw new Error('x'.repeat(10000));
}, 0);
await new Promise(() => {});
