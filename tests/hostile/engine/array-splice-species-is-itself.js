// A species that gives the array that is being cut.
// expect: 201 | 500 EXTENSION_FAILED
// timeout: 2000
for (let n = 0; n < 100; n++) {
  const a = Array.from({ length: 100 }, (_, i) => ({ i }));
  a.constructor = {
    [Symbol.species]: function () {
      return a;
    },
  };
  try {
    a.splice(5, 50, ...new Array(60));
  } catch {}
  try {
    a.slice(2);
    a.map((x) => x);
    a.filter(() => true);
    a.concat(a);
    a.flat();
  } catch {}
}
