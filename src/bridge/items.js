// services.items(collection, options?): an object of methods, each one host call. For the SDK, whose services act for the system, it is
// there at once instead of by a promise.
(host, { ArrayIsArray, ObjectFreeze, ObjectKeys, TypeError, isObject }, { tx, system }) => {
  const text = (value, what) => {
    if (typeof value !== 'string' || value === '') throw new TypeError(what + ' must be the name of a collection, not ' + (typeof value));
    return value;
  };
  const object = (value, what) => {
    if (!isObject(value) || ArrayIsArray(value)) throw new TypeError(what + ' must be an object, not ' + (ArrayIsArray(value) ? 'an array' : typeof value));
    return value;
  };
  const query = (value, what) => (value === undefined || value === null ? {} : object(value, what));
  const list = (value, what) => {
    if (!ArrayIsArray(value)) throw new TypeError(what + ' must be an array, not ' + (typeof value));
    return value;
  };
  const key = (value, what) => {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') throw new TypeError(what + ' must be a key (a text or a number), not ' + (typeof value));
    return value;
  };
  const options = (value, what) => {
    const given = query(value, what);
    const names = ObjectKeys(given);
    for (let i = 0; i < names.length; i++) {
      if (names[i] !== 'elevated' && names[i] !== 'emitEvents') throw new TypeError(what + ' takes elevated and emitEvents, not ' + names[i]);
      if (typeof given[names[i]] !== 'boolean' && given[names[i]] !== undefined) throw new TypeError(what + '.' + names[i] + ' must be true or false');
    }
    return { elevated: given.elevated === true, emitEvents: given.emitEvents !== false };
  };
  const service = (collection, given) => {
    const scope = options(given, 'items: the options');
    scope.collection = text(collection, 'items: the first argument');
    if (tx !== undefined) scope.tx = tx;
    if (system) scope.system = true;
    return ObjectFreeze({
      readByQuery: async (q) => host('items.readByQuery', scope, query(q, 'readByQuery: the query')),
      readByQueryWithCount: async (q) => host('items.readByQueryWithCount', scope, query(q, 'readByQueryWithCount: the query')),
      readOne: async (k, q, o) => host('items.readOne', scope, key(k, 'readOne: the key'), query(q, 'readOne: the query'), query(o, 'readOne: the options')),
      readMany: async (k, q, o) => host('items.readMany', scope, list(k, 'readMany: the keys'), query(q, 'readMany: the query'), query(o, 'readMany: the options')),
      readAggregate: async (q) => host('items.readAggregate', scope, object(q, 'readAggregate: the query')),
      getKeysByQuery: async (q) => host('items.getKeysByQuery', scope, query(q, 'getKeysByQuery: the query')),
      createOne: async (data) => host('items.createOne', scope, object(data, 'createOne: the data')),
      createMany: async (data) => host('items.createMany', scope, list(data, 'createMany: the data')),
      updateOne: async (k, data) => host('items.updateOne', scope, key(k, 'updateOne: the key'), object(data, 'updateOne: the data')),
      updateMany: async (k, data) => host('items.updateMany', scope, list(k, 'updateMany: the keys'), object(data, 'updateMany: the data')),
      updateByQuery: async (q, data) => host('items.updateByQuery', scope, object(q, 'updateByQuery: the query'), object(data, 'updateByQuery: the data')),
      updateBatch: async (rows) => host('items.updateBatch', scope, list(rows, 'updateBatch: the rows')),
      upsertOne: async (data) => host('items.upsertOne', scope, object(data, 'upsertOne: the data')),
      upsertMany: async (data) => host('items.upsertMany', scope, list(data, 'upsertMany: the data')),
      deleteOne: async (k) => host('items.deleteOne', scope, key(k, 'deleteOne: the key')),
      deleteMany: async (k) => host('items.deleteMany', scope, list(k, 'deleteMany: the keys')),
      deleteByQuery: async (q) => host('items.deleteByQuery', scope, object(q, 'deleteByQuery: the query')),
    });
  };
  return system ? service : async (collection, given) => service(collection, given);
}
