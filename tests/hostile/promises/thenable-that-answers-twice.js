// A thenable that settles again and again is settled once.
// expect: 201
// timeout: 2000
let n = 0;
const value = await {
  then(done, fail) {
    done(1);
    done(2);
    fail(3);
    n++;
    throw 4;
  },
};
if (value !== 1 || n !== 1) throw new Error('reached: a promise settled twice');
