// Holes through which the prototype is seen.
// expect: 201
// timeout: 2000
const a = [5, , 3, , 1];
Array.prototype[1] = 4;
a.sort(() => {
  delete Array.prototype[1];
  a[7] = 1;
  return 0;
});
delete Array.prototype[1];
