// The body is no constructor and no method.
// expect: 201
// timeout: 2000
const f = function () {
  return new.target;
};
if (f() !== undefined || new f() === undefined) throw new Error('reached: new.target');
