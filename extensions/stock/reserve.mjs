// @ts-check

/**
 * Takes what was sold out of stock. Part of the transaction that marks the sales as paid: both happen, or neither.
 *
 * @param {import('@trellis/sdk').Services} services
 * @param {import('@trellis/sdk').Key[]} keys of sales
 */
export async function reserve(services, keys) {
  const sales = await services.items('sales');
  // Locked, so that of two who pay at once the second one sees that it is paid already.
  const unpaid = (await sales.readMany(keys, {}, { lock: true })).filter((sale) => sale.status !== 'paid');
  if (unpaid.length === 0) return;

  // The rights of the system: who may pay for a sale need not be able to change stock.
  const products = await services.items('products', { elevated: true });
  /** @type {Map<string, number>} */
  const wanted = new Map();
  for (const { sku, quantity } of unpaid) wanted.set(sku, (wanted.get(sku) ?? 0) + quantity);
  const found = await products.getKeysByQuery({ filter: { sku: { _in: [...wanted.keys()] } } });
  const rows = await products.readMany(found, {}, { lock: true });
  for (const [sku, quantity] of wanted) {
    const left = rows.find((row) => row.sku === sku)?.left ?? 0;
    if (left < quantity) {
      throw Object.assign(new Error(`Only ${left} of ${sku} left, not ${quantity}`), { status: 409, code: 'OUT_OF_STOCK' });
    }
  }
  for (const row of rows) await products.updateOne(row.id, { left: row.left - (wanted.get(row.sku) ?? 0) });
}
