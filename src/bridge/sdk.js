// sdk, as `register(sdk)` gets it. What is registered is checked by the host; here mistakes are only kept from getting lost.
(registrar, { ArrayIsArray, ObjectFreeze, ObjectKeys, TypeError, isObject, put }) => {
  const type = (value) => (value === null ? 'null' : ArrayIsArray(value) ? 'an array' : typeof value);
  const on = (kind, method) => (event, handler, options) => {
    registrar.check('emitter.' + method + '()');
    if (typeof event !== 'string') return registrar.problem('emitter.' + method + ': the first argument is the name of an event, not ' + type(event));
    if (typeof handler !== 'function') return registrar.problem('emitter.' + method + "('" + event + "'): the second argument is the handler, a function, not " + type(handler));
    if (options !== undefined && (!isObject(options) || ArrayIsArray(options))) return registrar.problem('emitter.' + method + "('" + event + "'): the options are an object, not " + type(options));
    registrar.add({ kind, event, handler: registrar.keep(handler), options: options ?? {} });
  };
  const off = (kind, method) => (event, handler) => {
    registrar.check('emitter.' + method + '()');
    if (typeof event !== 'string') return registrar.problem('emitter.' + method + ': the first argument is the name of an event, not ' + type(event));
    registrar.remove((entry, own) => entry.kind === kind && entry.event === event && (handler === undefined || own === handler));
  };
  const emitter = ObjectFreeze({
    onFilter: on('filter', 'onFilter'),
    onAction: on('action', 'onAction'),
    offFilter: off('filter', 'offFilter'),
    offAction: off('action', 'offAction'),
  });
  const registerRoutes = (definition) => {
    registrar.check('registerRoutes()');
    if (!isObject(definition) || ArrayIsArray(definition)) return registrar.problem('registerRoutes: the argument is an object with basePath and routes, not ' + type(definition));
    const entry = { kind: 'routes' };
    const members = ObjectKeys(definition);
    for (let i = 0; i < members.length; i++) if (members[i] !== 'routes') put(entry, members[i], definition[members[i]]);
    put(entry, 'kind', 'routes');
    const { routes } = definition;
    if (!ArrayIsArray(routes)) return registrar.problem('registerRoutes: routes is an array, not ' + type(routes));
    const told = [];
    for (let i = 0; i < routes.length; i++) {
      const route = routes[i];
      if (!isObject(route) || ArrayIsArray(route)) {
        registrar.problem('registerRoutes: routes[' + i + '] is an object with method, path and handler, not ' + type(route));
        continue;
      }
      if (typeof route.handler !== 'function') {
        registrar.problem('registerRoutes: the handler of routes[' + i + '] is a function, not ' + type(route.handler));
        continue;
      }
      const one = {};
      const names = ObjectKeys(route);
      for (let n = 0; n < names.length; n++) put(one, names[n], names[n] === 'handler' ? registrar.keep(route.handler) : route[names[n]]);
      put(told, told.length, one);
    }
    put(entry, 'routes', told);
    registrar.add(entry);
  };
  const schedule = (text, handler, options) => {
    registrar.check('schedule()');
    if (typeof text !== 'string') return registrar.problem('schedule: the first argument is a schedule such as "0 3 * * *", not ' + type(text));
    if (typeof handler !== 'function') return registrar.problem("schedule('" + text + "'): the second argument is the handler, a function, not " + type(handler));
    if (options !== undefined && (!isObject(options) || ArrayIsArray(options))) return registrar.problem("schedule('" + text + "'): the options are an object, not " + type(options));
    registrar.add({ kind: 'schedule', schedule: text, handler: registrar.keep(handler), options: options ?? {} });
  };
  const items = registrar.service('items');
  const createItemsService = (collection, options) => items(collection, options);
  return ObjectFreeze({ emitter, registerRoutes, schedule, createItemsService });
}
