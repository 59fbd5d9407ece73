// @ts-check
// Who did what to contracts. Action hooks: they run after the commit, so nothing is written down that didn't happen, and at least once, so
// nothing that happened is left out.

/** @type {import('@trellis/sdk').Register} */
export function register({ emitter, createItemsService }) {
  // With the rights of the system: whoever may change a contract need not be able to write, or even read, the log.
  const log = createItemsService('audit_log');

  /**
   * @param {string} action
   * @param {import('@trellis/sdk').ActionMeta} meta
   * @param {import('@trellis/sdk').EventContext} context
   */
  const write = (action, meta, context) =>
    // The delivery's id is the row's key: a delivery that is repeated writes the same row again.
    log.upsertOne({
      id: meta.delivery.id,
      at: meta.delivery.first_at,
      action,
      contracts: meta.keys,
      changes: action === 'delete' ? null : meta.payload,
      user: context.accountability.user,
      ip: context.accountability.ip,
      request: context.requestId,
    });

  emitter.onAction('contracts.items.create', (meta, context) => write('create', meta, context));
  emitter.onAction('contracts.items.update', (meta, context) => write('update', meta, context));
  emitter.onAction('contracts.items.delete', (meta, context) => write('delete', meta, context));
}
