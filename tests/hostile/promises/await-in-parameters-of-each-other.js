// Two promises that each resolve with the other.
// expect: 504 EXTENSION_TIMEOUT
let a, b;
const pa = new Promise((r) => {
    a = r;
  }),
  pb = new Promise((r) => {
    b = r;
  });
a(pb);
b(pa);
await pa;
