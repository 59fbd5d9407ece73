// null, which must not be mistaken for memory that ran out.
// expect: 400 EXTENSION_ERROR
// timeout: 2000
throw null;
