// A replaced String.prototype.concat gives the glue what is no text: the caller hears of a failure, nobody else does.
// expect: 201 | 500 EXTENSION_FAILED | 400 EXTENSION_ERROR
// timeout: 2000
String.prototype.concat = function () {
  return {
    toString() {
      return 'items.deleteMany';
    },
    valueOf() {
      return 1;
    },
  };
};
const log = await services.items('log');
try {
  await log.readByQuery({ limit: 1 });
} catch {}
console.log({ a: 1 });
