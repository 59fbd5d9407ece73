// services.log: lines of the host's log, with fields.
(host, { ObjectFreeze, PromiseThen, String, isObject }) => {
  const nothing = () => undefined;
  const line = (level) => (message, fields) => {
    // Nobody waits for a log line, and none fails a call.
    PromiseThen(host('log.write', {}, level, typeof message === 'string' ? message : String(message), isObject(fields) ? fields : null), nothing, nothing);
  };
  return ObjectFreeze({ debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') });
}
