// An array whose length cannot be written takes elements in its fast part.
// expect: 201
// timeout: 2000
for (let n = 0; n < 500; n++) {
  const a = [1, 2];
  Object.defineProperty(a, 'length', { writable: false });
  try {
    a.push(3);
    throw new Error('reached: a frozen length grew');
  } catch (e) {
    if (!(e instanceof TypeError)) throw e;
  }
  if (a.length !== 2 || 2 in a) throw new Error('reached: an element beyond a frozen length');
}
