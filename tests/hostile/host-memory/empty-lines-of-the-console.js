// A million lines that have no text.
// expect: 201 | 504 EXTENSION_TIMEOUT
for (let i = 0; i < 1e6; i++) console.log();
