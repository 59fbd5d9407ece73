// The total of an order, in cents, kept right in the same transaction as the lines that it is made of.

import type { Key, RegisterSdk, Services } from '@trellis/sdk';

interface Order {
  id: number;
  total: number | null;
}

interface Line {
  id: number;
  order: number;
  quantity: number | null;
  unit_price: number | null;
}

// `sort: 1000` in extension.json: after every other filter, so that what is added up is what will be written.
export function register({ emitter }: RegisterSdk): void {
  emitter.onFilter('order_lines.items.create', async (line: Partial<Line>, meta, { services }) => {
    await add(services, [[line.order, amount(line)]]);
  });

  emitter.onFilter('order_lines.items.update', async (changes: Partial<Line>, meta, { services }) => {
    await hold(services, meta.keys);
    const before: Line[] = await meta.previous();
    const after = before.map((line) => ({ ...line, ...changes }));
    // A line may also move from one order to another.
    await add(services, [...before.map(taken), ...after.map(given)]);
  });

  emitter.onFilter('order_lines.items.delete', async (keys, meta, { services }) => {
    await hold(services, keys);
    const before: Line[] = await meta.previous();
    await add(services, before.filter((line) => keys.includes(line.id)).map(taken));
  });
}

/** What is to be added to an order's total. */
type Change = [order: Key | null | undefined, cents: number];

const amount = (line: Partial<Line>): number => (line.quantity ?? 0) * (line.unit_price ?? 0);
const given = (line: Line): Change => [line.order, amount(line)];
const taken = (line: Line): Change => [line.order, -amount(line)];

/** Keeps others from changing the lines until the commit: a difference to what they were would be wrong by then. */
async function hold(services: Services, keys: Key[]): Promise<void> {
  const lines = await services.items('order_lines', { elevated: true, emitEvents: false });
  await lines.readMany(keys, { fields: ['id'] }, { lock: true });
}

/** With the host's rights: who may write lines need not be able to write totals. */
async function add(services: Services, changes: Change[]): Promise<void> {
  // By text: a caller may write the key 1 as "1".
  const sums = new Map<string, number>();
  for (const [order, cents] of changes) {
    if (order === undefined || order === null) throw new Error('A line needs its `order`');
    sums.set(String(order), (sums.get(String(order)) ?? 0) + cents);
  }
  const orders = await services.items<Order>('orders', { elevated: true });
  const rows = await orders.readMany([...sums.keys()], { fields: ['id', 'total'] }, { lock: true });
  for (const [order, cents] of sums) {
    const row = rows.find(({ id }) => String(id) === order);
    if (row === undefined) throw new Error(`There is no order ${order}`);
    await orders.updateOne(row.id, { total: (row.total ?? 0) + cents });
  }
}
