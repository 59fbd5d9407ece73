// An error of a service is the author's own to change, and holds nothing of the host.
// expect: 201
// timeout: 2000
let error;
try {
  await (await services.items('nothing')).readByQuery({});
} catch (e) {
  error = e;
}
if (!(error instanceof Error) || Object.getPrototypeOf(error) !== Error.prototype) throw new Error('reached: another error');
for (const k of Reflect.ownKeys(error)) {
  const v = error[k];
  if (typeof v === 'function') throw new Error(`reached: ${String(k)}`);
  if (typeof v === 'object' && v !== null && Object.getPrototypeOf(v) !== Object.prototype && !Array.isArray(v))
    throw new Error(`reached: ${String(k)}`);
}
