// this of a getter, of toJSON and of a conversion is the author's own object.
// expect: 201
// timeout: 2000
const own = new Set();
const odd = [];
const make = () => {
  const o = {
    get limit() {
      if (!own.has(this)) odd.push(this);
      return 1;
    },
    toJSON() {
      if (!own.has(this)) odd.push(this);
      return { limit: 1 };
    },
  };
  own.add(o);
  return o;
};
const log = await services.items('log');
for (let i = 0; i < 3; i++) {
  try {
    await log.readByQuery(make());
  } catch {}
}
console.log(make());
if (odd.length) throw new Error('reached: another this');
