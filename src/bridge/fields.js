// services.fields(): what fields collections have. Changing them belongs to the REST API.
(host, { ObjectFreeze }, { tx }) => async () => {
  const scope = tx === undefined ? {} : { tx };
  return ObjectFreeze({
    readAll: async (collection) => host('fields.readAll', scope, collection ?? null),
    readOne: async (collection, field) => host('fields.readOne', scope, collection, field),
  });
}
