// Elements that add to the array that is being flattened.
// expect: 201 | 500 EXTENSION_FAILED | 504 EXTENSION_TIMEOUT | 500 EXTENSION_OUT_OF_MEMORY
const a = [[1]];
for (let i = 0; i < 50; i++)
  a.push(
    new Proxy([1, 2], {
      get(t, k) {
        if (k === 'length' && a.length < 5000) a.push([1], [2]);
        return t[k];
      },
    }),
  );
a.flat(3);
