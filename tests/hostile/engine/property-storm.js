// Shapes that are made and thrown away by the thousand.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
for (let n = 0; n < 3000; n++) {
  const o = {};
  for (let i = 0; i < 60; i++) o[`k${(i * n) % 97}`] = i;
  for (let i = 0; i < 60; i += 2) delete o[`k${(i * n) % 97}`];
  Object.preventExtensions(o);
}
