// prepareStackTrace, captureStackTrace and stackTraceLimit give away no frames of the glue.
// expect: 201
// timeout: 2000
const found = [];
const gather = (error, sites) => {
  for (const site of Array.isArray(sites) ? sites : [])
    for (const key of ['getFunction', 'getThis', 'getEvalOrigin']) {
      try {
        const v = site[key]();
        if (v !== undefined && v !== null) found.push(v);
      } catch {}
    }
  return '';
};
for (const E of [Error, TypeError, RangeError, globalThis.InternalError, globalThis.AggregateError]) {
  try {
    E.prepareStackTrace = gather;
  } catch {}
  try {
    E.stackTraceLimit = Infinity;
  } catch {}
}
const look = () => {
  try {
    const o = {};
    Error.captureStackTrace?.(o, look);
    String(o.stack);
  } catch {}
  return String(new Error('x').stack);
};
look();
[2, 1].sort(() => {
  look();
  return 0;
});
await Promise.resolve().then(look);
console.log({
  get x() {
    return look();
  },
  toString: look,
});
try {
  await (
    await services.items('log')
  ).readByQuery({
    toJSON() {
      look();
      return {};
    },
  });
} catch {}
if (found.length) throw new Error(`reached: ${found.length} parts of frames`);
