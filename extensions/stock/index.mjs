// @ts-check
// Hooks and routes in one extension, in two files.

import { reserve } from './reserve.mjs';

/** @param {import('@trellis/sdk').RegisterSdk} sdk */
export function register(sdk) {
  const { emitter, createItemsService, registerRoutes } = sdk;

  emitter.onFilter('sales.items.update', async (payload, meta, context) => {
    if (payload.status === 'paid') await reserve(context.services, meta.keys);
    return payload;
  });

  emitter.onAction('sales.items.create', async (meta, context) => {
    const log = createItemsService('sale_log'); // the system's rights; context.services.items(…) has the caller's
    await log.upsertOne({ id: meta.delivery.id, sale: meta.key, by: context.accountability.user });
  });

  registerRoutes({
    name: 'stock',
    basePath: '/stock',
    description: 'Stock levels',
    routes: [
      {
        method: 'GET',
        path: '/:sku',
        requiredPermission: 'products.read',
        handler: async (request, context) => {
          const products = await context.services.items('products');
          const [product] = await products.readByQuery({ filter: { sku: { _eq: context.params.sku } }, limit: 1 });
          return product ? Response.json({ data: product }) : Response.json({ error: 'unknown sku' }, { status: 404 });
        },
      },
      {
        method: 'POST',
        path: '/',
        requiredPermission: 'products.create',
        handler: async (request, context) => {
          const products = await context.services.items('products');
          try {
            const id = await products.createOne(await request.json());
            return Response.json({ data: { id } }, { status: 201 });
          } catch (error) {
            return Response.json({ error: /** @type {Error} */ (error).message }, { status: 400 });
          }
        },
      },
    ],
  });
}
