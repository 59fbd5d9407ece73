// An interval of zero milliseconds.
// expect: 504 EXTENSION_TIMEOUT
let n = 0;
setInterval(() => {
  n++;
}, 0);
await new Promise(() => {});
