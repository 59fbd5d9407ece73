// A filter that puts a key of its own making is held to the column's type.
// expect: 201 | 500 EXTENSION_FAILED | 400 INVALID_PAYLOAD | 409 RECORD_NOT_UNIQUE
// timeout: 2000
return { ...payload, id: { toJSON: () => '1; DELETE FROM log' } };
