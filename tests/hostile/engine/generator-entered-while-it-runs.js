// next, return and throw of a generator from within itself.
// expect: 201
// timeout: 2000
let g;
let refused = 0;
g = (function* () {
  for (const f of ['next', 'return', 'throw']) {
    try {
      g[f](1);
    } catch (e) {
      if (e instanceof TypeError) refused++;
    }
    yield 1;
  }
})();
for (const x of g) {
}
if (refused !== 3) throw new Error(`reached: entered again, ${refused} refusals`);
