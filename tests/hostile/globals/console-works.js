// Every method of the console that is there takes anything and answers nothing.
// expect: 201
// timeout: 2000
for (const name of ['log', 'info', 'warn', 'error', 'debug'])
  for (const args of [[], [1], ['%s', 'x'], [Symbol('x'), 1n, null, undefined, () => {}, new Map([[1, {}]]), new Proxy({}, {})]])
    if (console[name](...args) !== undefined) throw new Error(`reached: ${name} answers`);
