// Names of collections that every object has.
// expect: 201
// timeout: 2000
for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'length', '']) {
  try {
    await (await services.items(name)).readByQuery({});
    throw new Error(`reached: a collection ${name}`);
  } catch (e) {
    if (e.message.startsWith('reached')) throw e;
  }
}
