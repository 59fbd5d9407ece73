// The function around the body cannot be found, called again or left.
// expect: 201
// timeout: 2000
let depth = 0;
const f = async () => {
  if (depth++ > 3) return;
  for (const c of [f.constructor, Object.getPrototypeOf(f).constructor]) {
    try {
      await c('payload', 'return 1')();
      throw new Error('reached: text became code');
    } catch (e) {
      if (e.message.startsWith('reached')) throw e;
    }
  }
};
await f();
