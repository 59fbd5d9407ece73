// services.fields(): what fields collections have, and changing that outside filters and transactions.
(host, { ObjectFreeze }, { tx }) => async () => {
  const scope = tx === undefined ? {} : { tx };
  return ObjectFreeze({
    readAll: async (collection) => host('fields.readAll', scope, collection ?? null),
    readOne: async (collection, field) => host('fields.readOne', scope, collection, field),
    createField: async (collection, field) => host('fields.createField', scope, collection, field),
    updateField: async (collection, field, changes) => host('fields.updateField', scope, collection, field, changes),
    deleteField: async (collection, field) => host('fields.deleteField', scope, collection, field),
  });
}
