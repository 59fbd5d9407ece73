// services.relations(): how collections refer to each other, and changing that outside filters and transactions.
(host, { ObjectFreeze }, { tx }) => async () => {
  const scope = tx === undefined ? {} : { tx };
  return ObjectFreeze({
    readAll: async (collection) => host('relations.readAll', scope, collection ?? null),
    readOne: async (collection, field) => host('relations.readOne', scope, collection, field),
    createOne: async (data) => host('relations.createOne', scope, data),
    updateOne: async (collection, field, changes) => host('relations.updateOne', scope, collection, field, changes),
    deleteOne: async (collection, field) => host('relations.deleteOne', scope, collection, field),
  });
}
