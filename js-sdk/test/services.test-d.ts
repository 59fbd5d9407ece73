// What must compile, and behind `@ts-expect-error` what must not: services.
import type { EventContext, Item, Key, ServiceError } from '@trellis/sdk';

interface Product {
  id: number;
  sku: string;
  price: string;
  left: number;
}

interface Cart {
  id: number;
  customer: { id: number; name: string } | number | null;
  lines: { id: number; product: string; quantity: number }[];
}

export async function items({ services }: EventContext): Promise<void> {
  const products = await services.items<Product>('products', { elevated: true, emitEvents: false });
  const rows: Product[] = await products.readByQuery({
    filter: { _and: [{ left: { _gt: 0 } }, { _or: [{ sku: { _starts_with: 'A' } }, { price: { _null: true } }] }] },
    sort: ['-left', 'sku'],
    fields: ['id', 'sku'],
    limit: -1,
  });
  const one: Product = await products.readOne(rows[0]?.id ?? 1, { fields: '*' });
  const held: Product[] = await products.readMany([one.id, 2n], { fields: ['left'] }, { lock: true });
  const key: Key = await products.createOne({ sku: 'A1', left: held.length });
  const { items, count } = await products.readByQueryWithCount({ search: 'A', page: 2, limit: 10 });
  const kept: Key | null = await products.deleteOne(key);
  const groups: Item[] = await products.readAggregate({ aggregate: { count: ['*'], sum: ['left'] }, groupBy: ['sku'] });
  const orders = await services.items<{ id: number; customer: { name: string } | number; lines: object[] }>('orders');
  await orders.readByQuery({
    fields: ['id', 'customer.name', 'lines.product.sku', 'year(at)', '*.*'],
    filter: { customer: { name: 'Ann' }, lines: { _none: { quantity: 0 } }, 'customer.name': { _eq: 'Ann' }, 'count(lines)': { _gt: 1 } },
    sort: ['-customer.name', 'count(lines)'],
    alias: { who: 'customer' },
    deep: { lines: { _limit: 3, _sort: '-id', product: { _filter: { sku: 'A' } } } },
  });
  await orders.readAggregate({ aggregate: { count: '*' }, groupBy: ['year(at)'], sort: ['-count'] });
  await products.updateMany([1, 2], { left: items.length + count + groups.length });
  await products.updateBatch([{ id: 1, left: 2 }]);

  const carts = await services.items<Cart>('carts');
  await carts.createOne({ customer: { name: 'Ada' }, lines: [{ product: 'a', quantity: 1 }, { id: 2 }, 7] });
  await carts.updateOne(1, { customer: 3, lines: { create: [{ product: 'b' }], update: [{ id: 1, quantity: 2 }], delete: [4] } });
  await carts.updateBatch([{ id: 1, customer: null, lines: null }]);
  // @ts-expect-error there is no such part of a list's changes
  await carts.createOne({ lines: { add: [{ product: 'a' }] } });
  // @ts-expect-error the type of a value further down
  await carts.createOne({ lines: [{ quantity: 'two' }] });
  // @ts-expect-error nor in the one item
  await carts.createOne({ customer: { name: 1 } });
  // @ts-expect-error there is no such field further down
  await carts.updateOne(1, { lines: { create: [{ colour: 'red' }] } });

  // @ts-expect-error there is no such field
  await products.readByQuery({ fields: ['colour'] });
  // @ts-expect-error nor here
  await products.readByQuery({ filter: { colour: { _eq: 'red' } } });
  // @ts-expect-error a limit is a number
  await products.readByQuery({ deep: { parts: { _limit: '3' } } });
  // @ts-expect-error there is no such operator
  await products.readByQuery({ filter: { sku: { _like: 'A%' } } });
  // @ts-expect-error a number is compared with numbers
  await products.readByQuery({ filter: { left: { _gt: 'many' } } });
  // @ts-expect-error there is no such parameter
  await products.readByQuery({ where: {} });
  // @ts-expect-error a key is never missing
  await products.readOne(undefined);
  // @ts-expect-error the type of a value
  await products.updateOne(1, { left: 'none' });
  // @ts-expect-error lock is a flag
  await products.readMany([1], {}, { lock: 'yes' });
  // @ts-expect-error there is no such aggregate
  await products.readAggregate({ aggregate: { median: ['left'] } });
  // @ts-expect-error services.items answers a promise
  services.items('products').readByQuery();
  // @ts-expect-error there is no such option
  await services.items('products', { admin: true });
  // @ts-expect-error kept may be null
  const sure: Key = kept;

  // Without a type of its own a row is whatever it is.
  const loose = await services.items('anything');
  const [row] = await loose.readByQuery({ filter: { a: { _eq: 1 }, b: 'text', _or: [{ c: { _in: [1, null] } }] }, sort: '-a,b' });
  await loose.updateOne(row?.id, { a: row?.a + 1, sure });
}

export async function others({ services }: EventContext): Promise<number> {
  const made: string = await (await services.collections()).createOne({
    collection: 'products',
    fields: [{ field: 'sku', type: 'string', schema: { is_unique: true }, meta: { required: true } }],
  });
  const relations = await services.relations();
  await relations.createOne({ collection: made, field: 'shop', related_collection: 'shops', meta: { one_field: 'products' }, schema: { on_delete: 'CASCADE' } });
  // @ts-expect-error there is no such action
  await relations.updateOne(made, 'shop', { schema: { on_delete: 'VANISH' } });
  await (await services.fields()).createField('shops', { field: 'products', type: 'alias', meta: { special: ['o2m'] } });
  await (await services.collections()).updateOne(made, { meta: { note: 'sold here' } });
  // @ts-expect-error there is no such type
  await (await services.fields()).createField(made, { field: 'colour', type: 'enum' });
  services.log.info('made', { made });
  const [delivery] = (await services.enqueue('resize', { made }, { delay: 1000, key: 'a' })).deliveries;
  await services.enqueue('resize', delivery, { runAt: new Date(), key: 7 });
  // @ts-expect-error a delay is a number
  await services.enqueue('resize', {}, { delay: '1s' });
  const region: string | undefined = services.env.REGION;
  // @ts-expect-error env is frozen
  services.env.REGION = 'eu';
  const sent = await services.mail({ to: ['ann@example.com', { name: 'Bob', address: 'bob@example.com' }], subject: 's', html: '<p>Hi</p>', attachments: [{ filename: 'a', content: new Uint8Array(1) }] });
  const checked: boolean = (await (await services.mail()).verify()).success && sent.accepted.length > 0;
  // @ts-expect-error a subject is needed
  await services.mail({ to: 'ann@example.com', text: String(checked) });
  const { historyId } = await services.cron.trigger((await services.cron.list('active'))[0]?.name ?? 'nightly');
  // @ts-expect-error never the code
  services.log.info(historyId, { code: (await services.cron.get('nightly')).code });
  const answer = await services.fetch('http://localhost', { redirect: 'manual' });
  services.log.info(String(answer.status));
  return services.transaction(async (inside) => {
    await (await inside.items('log')).createOne({ region });
    return 1;
  });
}

export async function raw({ services }: EventContext): Promise<string | undefined> {
  const { data, error, count } = await services.supabase.from<{ id: number; title: string }>('books').select('id, title', { count: 'exact' }).eq('id', 1).order('title').limit(5);
  const title: string | undefined = data?.[0]?.title;
  const one = await services.supabase.from('books').insert({ title }).select('id').single();
  const code: string | undefined = one.error?.code ?? error?.code;
  // @ts-expect-error a count may be missing
  const sure: number = count;
  // @ts-expect-error there is one schema
  services.supabase.schema('other');
  return code ?? String(sure);
}

export async function refusals({ services }: EventContext): Promise<Item | undefined> {
  try {
    return await (await services.items('products')).readOne(1);
  } catch (error) {
    const refusal = error as ServiceError;
    if (refusal.code === 'NOT_FOUND' && refusal.status === 404) return undefined;
    throw error;
  }
}
