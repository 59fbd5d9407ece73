// services.cron: what jobs there are, and having one run.
(host, { ObjectFreeze, TypeError }, { tx }) => {
  const scope = tx === undefined ? {} : { tx };
  const job = (value, what) => {
    if (typeof value !== 'string' || value === '') throw new TypeError(what + ' must be the id or the name of a job, a text, not ' + typeof value);
    return value;
  };
  return ObjectFreeze({
    trigger: async (idOrName) => host('cron.trigger', scope, job(idOrName, 'cron.trigger: the job')),
    list: async (status) => host('cron.list', scope, status),
    get: async (idOrName) => host('cron.get', scope, job(idOrName, 'cron.get: the job')),
  });
}
