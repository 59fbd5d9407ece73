// @ts-check
// A ledger that only grows. It holds for everybody who comes through the API, admins and other extensions included.

/**
 * An error may carry the status (400 to 499) and the code that the caller is answered with.
 *
 * @param {string} message
 */
const refusal = (message) => Object.assign(new Error(message), { status: 409, code: 'APPEND_ONLY' });

/** @type {import('@trellis/sdk').Register} */
export function register({ emitter }) {
  // `sort: -100` in extension.json: no other filter needs to do its work for what is refused anyway.
  emitter.onFilter('ledger.items.update', (payload, meta) => {
    throw refusal(`Entries of the ledger are never changed: add one with \`corrects: ${meta.keys[0]}\` that puts it right`);
  });

  emitter.onFilter('ledger.items.delete', (keys) => {
    throw refusal(`Entries of the ledger are never removed: add one with \`corrects: ${keys[0]}\` that takes it back`);
  });
}
