// A callback of a helper that asks the same helper for more, or ends it.
// expect: 201
// timeout: 2000
for (const how of ['map', 'filter', 'flatMap', 'forEach', 'reduce', 'some', 'every', 'find']) {
  let helper;
  const inner = [1, 2, 3, 4].values();
  const f = () => {
    try {
      helper?.next();
    } catch {}
    try {
      helper?.return();
    } catch {}
    return [1];
  };
  try {
    helper = inner[how](f, []);
    for (const x of helper) {
    }
  } catch {}
}
