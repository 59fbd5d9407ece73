// What must compile, and behind `@ts-expect-error` what must not: routes.
import type { RegisterSdk, RouteDefinition, RouteHandler } from '@trellis/sdk';

const read: RouteHandler = async (request, context) => {
  const page = Number(new URL(request.url).searchParams.get('page') ?? 1);
  const id: string | undefined = context.params.id;
  const items = await context.services.items('customers');
  request.signal.throwIfAborted();
  if (!id) throw new Response('no id', { status: 400 });
  return Response.json({ data: await items.readOne(id), page, q: context.query.q });
};

export function register({ registerRoutes }: RegisterSdk): void {
  registerRoutes({
    name: 'customers',
    basePath: '/customers',
    description: 'Customers',
    routes: [
      { method: 'GET', path: '/:id', requiredPermission: 'customers.read', handler: read },
      { method: 'POST', path: '/', rateLimit: { max: 10, windowMs: 60_000 }, handler: async (request) => await request.json() },
      { method: 'GET', path: '/text', public: true, handler: () => 'text' },
      { method: 'DELETE', path: '/:id', handler: () => {} },
      { method: 'PURGE', path: '/*rest', handler: (_, context) => ({ rest: context.params.rest, by: context.accountability.user }) },
      {
        method: 'GET',
        path: '/stream',
        handler: () =>
          new Response(
            new ReadableStream({
              start(controller) {
                controller.enqueue(new TextEncoder().encode('data: 1\n\n'));
                controller.close();
              },
            }),
            { headers: { 'content-type': 'text/event-stream' } },
          ),
      },
    ],
  });

  const routes: RouteDefinition[] = [
    // @ts-expect-error public, or guarded: not both
    { method: 'GET', path: '/', public: true, requiredPermission: 'customers.read', handler: read },
    // @ts-expect-error a permission is an action on a collection
    { method: 'GET', path: '/', requiredPermission: 'customers', handler: read },
    // @ts-expect-error there is no such action
    { method: 'GET', path: '/', requiredPermission: 'customers.list', handler: read },
    // @ts-expect-error a limit has a window
    { method: 'GET', path: '/', rateLimit: { max: 1 }, handler: read },
    // @ts-expect-error a route has a handler
    { method: 'GET', path: '/' },
    // @ts-expect-error there is no such option
    { method: 'GET', path: '/', auth: false, handler: read },
    // @ts-expect-error a symbol is no answer
    { method: 'GET', path: '/', handler: () => Symbol('x') },
  ];
  // @ts-expect-error the group has a basePath
  registerRoutes({ name: 'x', routes });
}
