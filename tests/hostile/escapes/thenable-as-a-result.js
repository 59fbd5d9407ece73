// What is returned is awaited as any value; its then gets functions that do what resolvers do and no more.
// expect: 201
// timeout: 2000
let got;
const result = await {
  then(done, fail) {
    got = [done, fail];
    done({ fine: true });
  },
};
for (const f of got) {
  if (Object.getPrototypeOf(f) !== Function.prototype || f.name !== '') throw new Error('reached: another function');
  try {
    f.constructor('return 1')();
    throw new Error('reached: text became code');
  } catch (e) {
    if (e.message.startsWith('reached')) throw e;
  }
}
if (!result.fine) throw new Error('reached: another result');
