// What must compile, and behind `@ts-expect-error` what must not: hooks.
import type { ActionHandler, ActionMeta, FilterHandler, Item, Key, Register, RegisterSdk, WriteFilterMeta } from '@trellis/sdk';
import type { EventContext } from '@microbuild/sdk';

interface Article {
  id: number;
  title: string;
  published: string | null;
}

export const register: Register = (sdk) => {
  const { emitter, createItemsService } = sdk;

  emitter.onFilter('articles.items.create', (payload, meta, context) => {
    const event: string = meta.event;
    const user: string | null = context.accountability.user;
    // @ts-expect-error a create has no rows before it
    meta.previous();
    // @ts-expect-error a create has no keys yet
    meta.keys;
    return { ...payload, title: `${event} ${user}` };
  });
  emitter.onFilter('items.create', (payload) => {
    payload.touched = true;
  });
  emitter.onFilter('articles.items.create', (payload: Article) => ({ ...payload, title: payload.title.trim() }), { sort: 10 });
  emitter.onFilter('articles.items.update', async (payload, meta) => {
    const [before] = await meta.previous();
    if (before?.locked && meta.keys.length > 0) throw Object.assign(new Error('Locked'), { status: 409, code: 'LOCKED' });
    return payload;
  });
  emitter.onFilter('articles.items.delete', (keys, meta) => keys.filter((key) => key !== meta.key));
  emitter.onFilter('articles.items.read', (rows) => rows.map((row) => ({ ...row, extra: 1 })));
  emitter.onFilter('articles.items.query', (query) => ({ ...query, limit: 10 }));

  // @ts-expect-error there is no such event
  emitter.onFilter('articles.items.created', (payload) => payload);
  // @ts-expect-error nor this one
  emitter.onFilter('auth.refresh', (payload) => payload);
  emitter.onFilter('auth.login', ({ email }, meta) => {
    const user: string = meta.user;
    if (email.endsWith('@example.com')) throw new Error(`${meta.status} ${user}`);
  });
  // @ts-expect-error nobody can be kept from signing out
  emitter.onFilter('auth.logout', () => {});
  emitter.onAction('auth.login', ({ status, user, payload }) => console.log(status === 'fail' ? payload.email : user));
  emitter.onAction('auth.logout', (meta) => {
    const user: string = meta.user;
    // @ts-expect-error a logout has no status
    console.log(user, meta.status);
  }, { durable: false });
  // @ts-expect-error a filter of a create returns an object
  emitter.onFilter('articles.items.create', () => 5);
  // @ts-expect-error null is no payload
  emitter.onFilter('articles.items.create', () => null);
  // @ts-expect-error keys are texts or numbers
  emitter.onFilter('articles.items.delete', () => [{ id: 1 }]);
  // @ts-expect-error filters aren't delivered
  emitter.onFilter('articles.items.create', (payload) => payload, { durable: false });

  sdk.schedule('0 3 * * *', async ({ scheduledAt, triggeredBy, services }) => {
    const at: Date = new Date(scheduledAt);
    // @ts-expect-error it runs for one of three reasons
    if (triggeredBy === 'chance') return;
    await (await services.items('log')).createOne({ at });
  }, { name: 'log', timezone: 'Europe/Berlin', timeout_ms: 60_000 });
  // @ts-expect-error a schedule needs a handler
  sdk.schedule('@daily');
  // @ts-expect-error there is no such option
  sdk.schedule('@daily', () => {}, { memory_limit_mb: 128 });

  emitter.onAction('articles.items.create', async (meta) => {
    const key: Key = meta.key;
    const id: string = meta.delivery.id;
    await createItemsService('log').createOne({ key, id, title: meta.payload.title });
  });
  emitter.onAction('articles.items.update', (meta) => {
    const one: Key | undefined = meta.key;
    // @ts-expect-error an update may be of several rows
    const sure: Key = meta.key;
    return [one, sure, meta.keys];
  });
  emitter.onAction('articles.items.delete', (meta) => meta.payload.map((key) => String(key)), { ordered: false });
  emitter.onAction('articles.items.read', (meta) => {
    // @ts-expect-error nothing is owed for a read
    meta.delivery;
    return meta.payload.length;
  });
  emitter.onAction(
    'articles.items.create',
    (meta) => {
      // @ts-expect-error nothing is owed to a hook that may be forgotten
      meta.delivery;
      return meta.key;
    },
    { durable: false, sort: 5 },
  );
  emitter.onAction<{ file: string }>('jobs.resize', (meta) => `${meta.payload.file} ${meta.key} ${meta.delivery.id}`, { ordered: false });
  // @ts-expect-error a job is never forgotten
  emitter.onAction('jobs.resize', () => {}, { durable: false });
  // @ts-expect-error a job has no filters
  emitter.onFilter('jobs.resize', (payload) => payload);
  emitter.offAction('jobs.resize');
  // @ts-expect-error a query has no action
  emitter.onAction('articles.items.query', () => {});
  // @ts-expect-error order is for what is owed
  emitter.onAction('articles.items.create', () => {}, { durable: false, ordered: true });

  const filter: FilterHandler<Article> = (article) => article;
  emitter.onFilter('articles.items.create', filter);
  emitter.offFilter('articles.items.create', filter);
  const action: ActionHandler<ActionMeta> = (meta) => meta.keys;
  emitter.onAction('items.update', action);
  emitter.offAction('items.update', action);
};

// Handlers written apart, with rows of their own.
export const guard = async (payload: Item, meta: WriteFilterMeta<Article>, context: EventContext): Promise<Item> => {
  const [before] = await meta.previous();
  context.signal.throwIfAborted();
  return before?.published ? payload : { ...payload, published: null };
};
export const apart = (sdk: RegisterSdk) => sdk.emitter.onFilter('articles.items.update', guard);

// @ts-expect-error `register` has no services
export const wrong: Register = (sdk) => sdk.services;
