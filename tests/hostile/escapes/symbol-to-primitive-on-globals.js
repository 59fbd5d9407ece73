// Conversions of what belongs to the host run the author's code on nothing of the host's.
// expect: 201
// timeout: 2000
const seen = [];
for (const o of [context, services, console, performance, globalThis]) {
  try {
    o[Symbol.toPrimitive] = function () {
      seen.push(this);
      return '';
    };
  } catch {}
  try {
    `${String(o)}`;
  } catch {}
}
for (const s of seen) if (s !== console && s !== globalThis) throw new Error('reached: a frozen object was changed');
