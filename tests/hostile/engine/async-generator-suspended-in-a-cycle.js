// The same with a queue of requests.
// expect: 500 EXTENSION_OUT_OF_MEMORY | 504 EXTENSION_TIMEOUT | 201
for (let i = 0; i < 5000; i++) {
  const box = {};
  box.g = (async function* () {
    try {
      yield box;
      await new Promise(() => {});
    } finally {
      yield box;
    }
  })();
  box.g.next();
  box.g.next();
  box.g.return(box);
}
await null;
