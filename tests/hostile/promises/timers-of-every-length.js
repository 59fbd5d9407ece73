// Delays that are no numbers, negative, or past every clock.
// expect: 201
// timeout: 2000
for (const delay of [-1, NaN, Infinity, -Infinity, 1e300, 2 ** 31, 2 ** 53, 2 ** 64, '1e9', {}, null, undefined, [], true])
  clearTimeout(setTimeout(() => {}, delay));
await new Promise((done) => setTimeout(done, 1));
