// services.env: the variables that the host lets code read. The host sends them with the context.
(host, { ObjectAssign, ObjectCreate, ObjectFreeze }, { data }) => ObjectFreeze(ObjectAssign(ObjectCreate(null), data.env))
