// Names that are used once.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const o = {};
for (let i = 0; ; i++) {
  o[`${i}${'x'.repeat(1000)}`] = 1;
}
