// services.collections(): what collections there are, and changing that outside filters and transactions.
(host, { ArrayIsArray, ObjectFreeze, TypeError }, { tx }) => async () => {
  const scope = tx === undefined ? {} : { tx };
  return ObjectFreeze({
    readByQuery: async () => host('collections.readByQuery', scope),
    readOne: async (collection) => host('collections.readOne', scope, collection),
    readMany: async (collections) => {
      if (!ArrayIsArray(collections)) throw new TypeError('readMany: the collections must be an array of names');
      return host('collections.readMany', scope, collections);
    },
    createOne: async (data) => host('collections.createOne', scope, data),
    updateOne: async (collection, changes) => host('collections.updateOne', scope, collection, changes),
    deleteOne: async (collection) => host('collections.deleteOne', scope, collection),
  });
}
