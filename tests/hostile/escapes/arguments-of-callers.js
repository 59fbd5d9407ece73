// caller, callee and arguments lead to no function of the glue.
// expect: 201
// timeout: 2000
const f = function () {
  return [arguments.callee?.caller, f.caller, f.arguments, arguments.callee?.arguments];
};
let found = [];
try {
  found = f();
} catch {}
for (const x of found) if (typeof x === 'function') throw new Error('reached: a caller');
const inner = function () {
  try {
    return [inner.caller, arguments.callee.caller.caller];
  } catch {
    return [];
  }
};
[1].map(() => {
  for (const x of inner()) if (typeof x === 'function') throw new Error('reached: a caller');
});
