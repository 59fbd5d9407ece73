// The mapped arguments of a sloppy function, deleted, frozen and made accessors.
// expect: 201
// timeout: 2000
const f = function (a, b) {
  a = {};
  arguments[1] = [];
  return [arguments, () => b];
};
for (let n = 0; n < 500; n++) {
  const [args, b] = f({}, {});
  try {
    delete args[0];
    Object.defineProperty(args, 1, { get: () => args });
    Object.freeze(args);
    args.length = 1e9;
    b();
    [...args];
  } catch {}
}
