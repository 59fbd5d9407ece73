// Getters of a result are called once each, on the result.
// expect: 201
// returns: {"title":"1"}
// timeout: 2000
let n = 0;
return {
  get title() {
    return String(++n);
  },
};
