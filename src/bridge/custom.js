// services.custom(name): what an active custom service returned. Made once for the services that it is asked of: those of a transaction
// have instances of their own, whose writes belong to it.
(host, { Error, ObjectDefineProperty, ObjectFreeze, Promise, TypeError }, { tx, make, data, part, path, instances }) => {
  const refused = (message, code, status) => {
    const error = new Error(message);
    ObjectDefineProperty(error, 'code', { __proto__: null, value: code, enumerable: true });
    ObjectDefineProperty(error, 'status', { __proto__: null, value: status, enumerable: true });
    return error;
  };
  const start = async (name) => {
    const body = part(name);
    if (body === undefined) {
      throw refused("There is no active custom service '" + name + "' that this extension may use", 'NOT_FOUND', 404);
    }
    const services = make(tx, { __proto__: null, name, before: path }, instances);
    const context = ObjectFreeze({ services, accountability: data.accountability, env: services.env });
    const instance = await body(context, services);
    if (instance === null || (typeof instance !== 'object' && typeof instance !== 'function')) {
      throw new TypeError("The custom service '" + name + "' must return an object of functions");
    }
    if (typeof instance.init === 'function') await instance.init(context);
    return instance;
  };
  return async (name) => {
    if (typeof name !== 'string' || name === '') throw new TypeError('custom: the argument is the name of a custom service, a text');
    let shown = name;
    for (let step = path; step !== undefined; step = step.before) {
      shown = step.name + ' → ' + shown;
      if (step.name === name) throw refused('Custom services that need each other: ' + shown, 'CONFLICT', 409);
    }
    return instances[name] ??= start(name);
  };
}
