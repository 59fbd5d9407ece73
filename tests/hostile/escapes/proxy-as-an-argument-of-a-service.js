// Traps of a proxy that a service is given see no value but their own.
// expect: 201 | 500 EXTENSION_FAILED | 400 EXTENSION_ERROR
// timeout: 2000
const seen = [];
const spy = (target) =>
  new Proxy(
    target,
    Object.fromEntries(
      Reflect.ownKeys(Reflect)
        .filter((k) => typeof Reflect[k] === 'function')
        .map((k) => [
          k,
          (...args) => {
            for (const a of args) if (typeof a === 'function' && a !== target && !/^(toJSON|then)$/.test(a.name)) seen.push(a.name);
            return Reflect[k](...args);
          },
        ]),
    ),
  );
const log = await services.items('log');
try {
  await log.readByQuery(spy({ filter: spy({ text: spy({ _eq: 'x' }) }), limit: 1 }));
} catch {}
try {
  await services.items('log', spy({ elevated: false }));
} catch {}
console.log(
  spy({}),
  spy([]),
  spy(() => {}),
);
try {
  structuredClone(spy({ a: 1 }));
} catch {}
if (seen.length) throw new Error(`reached: ${seen}`);
