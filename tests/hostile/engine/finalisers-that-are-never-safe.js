// A registry whose callbacks would run while things are collected.
// expect: 201 | 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT
const registry = new FinalizationRegistry((held) => {
  held.list.push(new Array(100));
  registry.register({}, held);
});
for (let i = 0; i < 20000; i++) registry.register({ i }, { list: [] });
await null;
