import type { EventContext } from './context.js';
import type { Collections, Row } from './index.js';
import type { Item, Key, Query } from './query.js';

/** What can happen to the items of a collection. */
export type ItemsEvent = 'items.query' | 'items.read' | 'items.create' | 'items.update' | 'items.delete';

/** An event: of every collection (`items.create`) or of one (`articles.items.create`). */
export type EventName = ItemsEvent | `${string}.${ItemsEvent}`;

/** What filter hooks can hear. */
export type FilterEventName = EventName;

/** What action hooks can hear: everything but `items.query`, which happens before a read. */
export type ActionEventName = Exclude<ItemsEvent, 'items.query'> | `${string}.${Exclude<ItemsEvent, 'items.query'>}`;

/**
 * A job, as `services.enqueue('resize', …)` puts it into the outbox: `jobs.resize`. The name has letters, digits, `_`, `-` and `:`. It is
 * heard by action hooks only.
 */
export type JobEventName = `jobs.${string}`;

/** What happens when somebody signs in or out. Nobody can be kept from signing out, so `auth.logout` is heard by action hooks only. */
export type AuthEventName = 'auth.login' | 'auth.logout';

/** Subscribes hooks to events, within `register` only: called later, each throws `REGISTRATION_CLOSED`. */
export interface Emitter {
  /**
   * Runs `handler` before what happens: it may change it or, by throwing, refuse it. Filters of all extensions on one event run one after the
   * other, each with what the one before it returned.
   */
  onFilter<E extends FilterEventName, P extends FilterPayload<E> = FilterPayload<E>>(
    event: E,
    handler: FilterHandler<P, FilterMetaOf<E>>,
    options?: FilterOptions,
  ): void;
  /**
   * Runs `handler` when somebody has given the right password, before they are signed in: by throwing it refuses that. It has nothing to
   * change. One that fails keeps no admin out.
   */
  onFilter(event: 'auth.login', handler: LoginHandler, options?: FilterOptions): void;

  /** Runs `handler` after the commit. Owed in the same transaction as the write, and therefore run at least once. */
  onAction<E extends ActionEventName>(event: E, handler: ActionHandler<ActionMetaOf<E>>, options?: ActionOptions): void;
  /** Runs `handler` after the commit, and forgets it if the host dies meanwhile: there is no `meta.delivery`. */
  onAction<E extends ActionEventName>(
    event: E,
    handler: ActionHandler<Omit<ActionMetaOf<E>, 'delivery'>>,
    options: BestEffortOptions,
  ): void;
  /** Runs `handler` after somebody signed in or out, or couldn't sign in. */
  onAction<E extends AuthEventName>(event: E, handler: ActionHandler<AuthActionMetaOf<E>>, options?: ActionOptions | BestEffortOptions): void;
  /** Runs `handler` for every job of that name that is enqueued, after the commit and at least once. */
  onAction<T = any>(event: JobEventName, handler: JobHandler<T>, options?: ActionOptions): void;

  /** Takes back what an earlier line, or an imported module, subscribed: this handler, or all of this extension's on the event. */
  offFilter(event: FilterEventName | 'auth.login', handler?: FilterHandler<any, any>): void;
  /** Takes back what an earlier line, or an imported module, subscribed: this handler, or all of this extension's on the event. */
  offAction(event: ActionEventName | AuthEventName | JobEventName, handler?: ActionHandler<any>): void;
}

/** How a filter hook runs. */
export interface FilterOptions {
  /** Lower runs first, across all extensions. Where two are equal, names decide. By default the extension's own `sort`. */
  readonly sort?: number;
}

/** How an action hook runs. */
export interface ActionOptions extends FilterOptions {
  /** Whether what is owed survives a crash. Default: true. */
  readonly durable?: true;
  /** Whether a delivery waits for the one before it on the same item. Default: true. */
  readonly ordered?: boolean;
}

/** How an action hook runs that may be forgotten. */
export interface BestEffortOptions extends FilterOptions {
  readonly durable: false;
}

/**
 * A filter hook. What it returns becomes the payload; nothing (`undefined`) leaves it as it is, in-place changes included. What it throws is
 * the answer to the caller, and nothing is written.
 */
export type FilterHandler<P = Item, M extends FilterMeta = FilterMeta> = (
  payload: P,
  meta: M,
  context: EventContext,
) => P | void | Promise<P | void>;

/** An action hook. When it throws, the delivery is tried again later. */
export type ActionHandler<M = ActionMeta> = (meta: M, context: EventContext) => unknown;

/** An action hook that runs jobs. When it throws, the job is tried again later. */
export type JobHandler<T = any> = (meta: JobMeta<T>, context: EventContext) => unknown;

/** What an action hook of `jobs.{name}` is told. */
export interface JobMeta<T = any> {
  /** As in `jobs.resize`. */
  readonly event: string;
  /** What was enqueued. */
  readonly payload: T;
  /** The key that it was enqueued with, as text. */
  readonly key?: string;
  /** Which of the deliveries this is. */
  readonly delivery: Delivery;
}

/** A filter hook of `auth.login`. What it throws is the answer to who signs in; it returns what it got, or nothing. */
export type LoginHandler = (
  payload: { readonly email: string },
  meta: LoginFilterMeta,
  context: EventContext,
) => { readonly email: string } | void | Promise<{ readonly email: string } | void>;

/** Who signs in or out. */
export interface AuthPayload {
  /** In lower case. Of somebody who signs out null if they are a user no more. */
  readonly email: string | null;
}

/** What a filter of `auth.login` is told. */
export interface LoginFilterMeta {
  readonly event: string;
  /** The key of the user. */
  readonly user: string;
  readonly status: 'pending';
}

/** What an action hook of `auth.login` is told. */
export interface LoginActionMeta {
  readonly event: string;
  /** The key of the user; null where there is none with that address. */
  readonly user: string | null;
  readonly status: 'success' | 'fail';
  readonly payload: AuthPayload;
  /** Which of the deliveries this is; a login that failed is told past the outbox. */
  readonly delivery?: Delivery;
}

/** What an action hook of `auth.logout` is told. */
export interface LogoutActionMeta {
  readonly event: string;
  /** The key of the user. */
  readonly user: string;
  readonly payload: AuthPayload;
  /** Which of the deliveries this is. */
  readonly delivery?: Delivery;
}

/** What an action hook on `E` is told of who signs in or out. */
export type AuthActionMetaOf<E extends AuthEventName> = {
  'auth.login': LoginActionMeta;
  'auth.logout': LogoutActionMeta;
}[E];

/** What every hook is told: what happened, and where. */
export interface FilterMeta {
  /** The qualified name of what happened, as in `articles.items.create`, also in a global hook. */
  readonly event: string;
  readonly collection: string;
  /** For an item that was written inside another one: the collection and the field there. */
  readonly parent?: { readonly collection: string; readonly field: string };
}

/** What filters of `items.update` and `items.delete` are told. */
export interface WriteFilterMeta<T extends Item = any> extends FilterMeta {
  /** The key, where there is exactly one. */
  readonly key?: Key;
  readonly keys: Key[];
  /** The rows as they are before the write, whole, with the host's rights. */
  previous(): Promise<T[]>;
}

/** What an action hook is told. */
export interface ActionMeta<P = any> extends FilterMeta {
  /** The key, where there is exactly one. */
  readonly key?: Key;
  readonly keys: Key[];
  /** What was written: the new row or the changes, as filters left them; of a delete the keys; of a read the rows. */
  readonly payload: P;
  /** Which of the deliveries this is. */
  readonly delivery: Delivery;
}

/** What an action hook of `items.create` is told: one row, so one key. */
export interface CreateActionMeta<P = Item> extends ActionMeta<P> {
  readonly key: Key;
}

/** A run of an action hook that is owed. A delivery may repeat, with the same `id`: use that to do things once. */
export interface Delivery {
  /** A uuid. */
  readonly id: string;
  /** From 1. */
  readonly attempt: number;
  /** When it was first owed, as ISO text. */
  readonly first_at: string | null;
  /** Whether somebody asked for it to be run once more. */
  readonly replayed: boolean;
}

/** The event without its collection. */
export type ItemsEventOf<E extends EventName> = E extends ItemsEvent
  ? E
  : E extends `${string}.${infer Rest extends ItemsEvent}`
    ? Rest
    : ItemsEvent;

/** The collection of an event, as far as its name has one. */
export type CollectionOf<E extends EventName> = E extends ItemsEvent ? string : E extends `${infer C}.${ItemsEvent}` ? C : string;

/** A row of the collection of an event. */
export type RowOf<E extends EventName> = Row<CollectionOf<E>>;

/** The same, and anything at all where the collection isn't known. */
type KnownRow<E extends EventName> = CollectionOf<E> extends keyof Collections ? RowOf<E> : any;

/** What a filter on `E` is given and returns. */
export type FilterPayload<E extends EventName> = {
  'items.query': Query<RowOf<E>>;
  'items.read': Partial<RowOf<E>>[];
  'items.create': Partial<RowOf<E>>;
  'items.update': Partial<RowOf<E>>;
  'items.delete': Key[];
}[ItemsEventOf<E>];

/** What a filter on `E` is told. */
export type FilterMetaOf<E extends EventName> = {
  'items.query': FilterMeta;
  'items.read': FilterMeta;
  'items.create': FilterMeta;
  'items.update': WriteFilterMeta<KnownRow<E>>;
  'items.delete': WriteFilterMeta<KnownRow<E>>;
}[ItemsEventOf<E>];

/** What an action hook on `E` is told. Nothing is owed for a read, so those have no `delivery`. */
export type ActionMetaOf<E extends EventName> = {
  'items.query': never;
  'items.read': Omit<ActionMeta<Partial<RowOf<E>>[]>, 'delivery'>;
  'items.create': CreateActionMeta<Partial<RowOf<E>>>;
  'items.update': ActionMeta<Partial<RowOf<E>>>;
  'items.delete': ActionMeta<Key[]>;
}[ItemsEventOf<E>];
