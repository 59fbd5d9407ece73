// Symbols, registered for all time.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
for (let i = 0; ; i++) Symbol.for(`registered ${i}`);
