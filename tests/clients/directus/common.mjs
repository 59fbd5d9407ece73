// What the scripts here share.
import assert from 'node:assert/strict';

/** That a request is refused with this code. */
export const refused = async (promise, code) => {
  const error = await promise.then(() => assert.fail(`expected ${code}`), (error) => error);
  assert.equal(error.errors?.[0]?.extensions?.code, code, JSON.stringify(error.errors ?? String(error)));
};

/** A field as it is made. */
export const field = (name, type, schema = {}, meta = {}) => ({ field: name, type, schema, meta });
