// services.log: lines of the host's log, with fields. They take the console's way: no call of the host, and bounded with it.
(host, { JSONStringify, ObjectFreeze, String, isObject }, { log }) => {
  const text = (message, fields) => {
    const said = typeof message === 'string' ? message : String(message);
    if (!isObject(fields)) return said;
    try {
      return said + ' ' + JSONStringify(fields);
    } catch {
      // What can't be written as JSON doesn't fail the call that wanted to tell of it.
      return said + " [fields that JSON can't carry]";
    }
  };
  const line = (level) => (message, fields) => log(level, text(message, fields));
  return ObjectFreeze({ debug: line(0), info: line(1), warn: line(2), error: line(3) });
}
