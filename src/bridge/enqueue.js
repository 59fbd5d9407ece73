// services.enqueue(name, data, options?): a job for whoever hears `jobs.{name}`, run after the commit. The service is the function itself.
(host, { ArrayIsArray, ObjectFreeze, TypeError, isObject }, { tx }) => async (name, data, options) => {
  if (typeof name !== 'string' || name === '') throw new TypeError('enqueue: the first argument must be the name of a job, not ' + typeof name);
  if (options !== undefined && options !== null && (!isObject(options) || ArrayIsArray(options))) throw new TypeError('enqueue: the third argument must be an object with delay, runAt or key');
  const answer = await host('enqueue.job', tx === undefined ? {} : { tx }, name, data === undefined ? null : data, options ?? {});
  ObjectFreeze(answer.deliveries);
  return ObjectFreeze(answer);
}
