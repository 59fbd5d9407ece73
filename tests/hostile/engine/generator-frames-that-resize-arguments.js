// Arguments, rest and closures of a suspended frame, changed from outside.
// expect: 201
// timeout: 2000
function* g(a, b) {
  const args = arguments;
  yield () => {
    args.length = 0;
    a = args;
    delete args[0];
    args[5] = args;
  };
  yield [a, b, args];
}
for (let n = 0; n < 1000; n++) {
  const it = g({}, []);
  it.next().value();
  it.next();
}
