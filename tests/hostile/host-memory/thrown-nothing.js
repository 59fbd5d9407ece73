// undefined, as an engine without room for an error throws null.
// expect: 400 EXTENSION_ERROR
// timeout: 2000
throw undefined;
