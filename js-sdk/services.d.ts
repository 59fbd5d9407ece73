import type { Collections, Row } from './index.js';
import type { AggregateQuery, Item, ItemInput, Key, KeyQuery, Query, ReadOptions } from './query.js';
import type { SupabaseClient } from './supabase.js';

/** `context.services`: what an extension may ask of the host. Every method rejects with a {@link ServiceError}. */
export interface Services {
  /** The items of one collection, with the rights of the caller unless told otherwise. */
  items<C extends keyof Collections & string>(collection: C, options?: ServiceOptions): Promise<ItemsService<Row<C>>>;
  items<T extends Item = Item>(collection: string, options?: ServiceOptions): Promise<ItemsService<T>>;

  /** What collections there are. */
  collections(): Promise<CollectionsService>;

  /** What fields collections have. */
  fields(): Promise<FieldsService>;
  /** How collections refer to each other. */
  relations(): Promise<RelationsService>;

  /** A raw client over the same database, past permissions and hooks. */
  readonly supabase: SupabaseClient;

  /**
   * What `work` does with the services that it is given is one transaction: kept when it returns, undone when it throws. Inside a filter, or
   * inside another one, it is a savepoint. Held for `TX_MAX_MS` at most, and nothing in it may wait for anything but the database.
   */
  transaction<R>(work: (services: Services) => R | Promise<R>): Promise<R>;

  /**
   * The fetch of the web, to where the host's `EXTENSION_ALLOWED_DOMAINS` says. Rejects with `FETCH_REFUSED`, `FETCH_FAILED`, `FETCH_TIMEOUT` or
   * `FETCH_TOO_LARGE`; with `TRANSACTION_OPEN` after the first write of a filter.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;

  /**
   * The object that an active custom service returned: made once for these services, in this worker and with the rights of this call.
   * Rejects with `NOT_FOUND` where there is none of that name, or none that the extension may use.
   */
  custom<T = any>(name: string): Promise<T>;

  /**
   * Sends mail. In a filter or a transaction the message leaves after the commit; in an action hook a delivery that runs again sends nothing
   * again. That the server didn't take it is told by `success: false`; a message that can't be one throws.
   */
  mail(options: MailOptions): Promise<MailResult>;
  mail(): Promise<MailService>;

  /** The jobs that run by the clock. */
  readonly cron: CronService;

  /**
   * Puts a job into the outbox, once for every action hook that hears `jobs.{name}`: part of the transaction that is open, run after its
   * commit, at least once. Rejects with `JOB_NOT_FOUND` where nobody hears it.
   */
  enqueue(name: string, data?: unknown, options?: EnqueueOptions): Promise<Enqueued>;

  /** Lines of the host's log. */
  readonly log: LogService;

  /** Variables that the host lets code read, and the extension's secrets. Frozen. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** When a job is run, and after which others. */
export interface EnqueueOptions {
  /** Not before so many milliseconds have passed; 365 days at most. */
  readonly delay?: number;
  /** Not before this moment, a `Date` or ISO text with a time zone; 365 days from now at most. */
  readonly runAt?: Date | string;
  /** Jobs of one name and key run one after the other, in the order in which they were enqueued or, where they were put off, fell due. */
  readonly key?: string | number;
}

/** What was put into the outbox. */
export interface Enqueued {
  /** The ids of the deliveries, one for each hook: `meta.delivery.id`, and what `/api/deliveries/:id` shows. */
  readonly deliveries: readonly string[];
}

/** How `services.items` acts. */
export interface ServiceOptions {
  /** Skips permission checks. The user stays the one of the call, for columns such as `user_created`. */
  readonly elevated?: boolean;
  /** `false` fires no hooks. */
  readonly emitEvents?: boolean;
}

/** The items of one collection. */
export interface ItemsService<T extends Item = Item> {
  /** The rows that the query finds. Without `limit` all of them, and an error past `QUERY_LIMIT_MAX`: never a silent cut. */
  readByQuery(query?: Query<T>): Promise<T[]>;
  /** The same, and how many there are regardless of `limit` and `page`. */
  readByQueryWithCount(query?: Query<T>): Promise<{ items: T[]; count: number }>;
  /** The row with that key; rejects with `NOT_FOUND`. */
  readOne(key: KeyInput, query?: KeyQuery<T>, options?: ReadOptions): Promise<T>;
  /** Those of the rows that are there, in the order of the keys. */
  readMany(keys: readonly KeyInput[], query?: KeyQuery<T>, options?: ReadOptions): Promise<T[]>;
  /** Counts, sums and their kin: one row per group, as in `{ status: 'open', count: 3, sum: { price: 12 } }`. */
  readAggregate(query: AggregateQuery<T>): Promise<Item[]>;
  /** The keys of the rows that the query finds. */
  getKeysByQuery(query?: Query<T>): Promise<Key[]>;
  /** Inserts a row and answers its key. */
  createOne(data: ItemInput<T>): Promise<Key>;
  /** Inserts rows, all or none. */
  createMany(data: readonly ItemInput<T>[]): Promise<Key[]>;
  /** Changes a row; rejects with `NOT_FOUND`. */
  updateOne(key: KeyInput, data: ItemInput<T>): Promise<Key>;
  /** Makes the same changes to several rows, all or none. */
  updateMany(keys: readonly KeyInput[], data: ItemInput<T>): Promise<Key[]>;
  /** Makes the same changes to the rows that the query finds. */
  updateByQuery(query: Query<T>, data: ItemInput<T>): Promise<Key[]>;
  /** Changes each of several rows: each holds its key. */
  updateBatch(rows: readonly ItemInput<T>[]): Promise<Key[]>;
  /** Changes the row if its key is there already, else inserts it. */
  upsertOne(data: ItemInput<T>): Promise<Key>;
  upsertMany(data: readonly ItemInput<T>[]): Promise<Key[]>;
  /** Removes a row. Null where a filter hook kept it. */
  deleteOne(key: KeyInput): Promise<Key | null>;
  /** Removes rows and answers the keys of those that went. */
  deleteMany(keys: readonly KeyInput[]): Promise<Key[]>;
  /** Removes the rows that the query finds. Refused without a condition, a search or a limit. */
  deleteByQuery(query: Query<T>): Promise<Key[]>;
}

/** A primary key as methods take it. */
export type KeyInput = Key | bigint;

/** Collections. Changes need an admin as the caller, and are refused in filters and in transactions (`DDL_IN_FILTER`). */
export interface CollectionsService {
  readByQuery(): Promise<CollectionInfo[]>;
  readOne(collection: string): Promise<CollectionInfo>;
  readMany(collections: readonly string[]): Promise<CollectionInfo[]>;
  /** Makes a collection with its fields and answers its name. */
  createOne(data: NewCollection): Promise<string>;
  /** Changes the members of `meta` that `changes` names. */
  updateOne(collection: string, changes: CollectionChanges): Promise<string>;
  /** Drops a collection, with the fields of others that refer to it and with the permissions on it. */
  deleteOne(collection: string): Promise<string>;
}

/** A collection as the REST API shows it. */
export interface CollectionInfo {
  collection: string;
  /** Null for tables that somebody else made in the same database. */
  meta: { collection: string; singleton: boolean; note: string | null; system: boolean; [member: string]: any } | null;
  schema: { name: string };
}

/** A collection to be made. Without a primary key among its fields it gets an `id` that counts by itself. */
export interface NewCollection {
  collection: string;
  meta?: Item | null;
  schema?: Item;
  fields?: NewField[] | null;
}

/** What of a collection can be changed. */
export interface CollectionChanges {
  meta?: Item | null;
}

/** Fields. The rules of {@link CollectionsService} hold. */
export interface FieldsService {
  readAll(collection?: string): Promise<FieldInfo[]>;
  readOne(collection: string, field: string): Promise<FieldInfo>;
  createField(collection: string, field: NewField): Promise<FieldInfo>;
  /** What `changes` doesn't say stays. */
  updateField(collection: string, field: string, changes: Partial<NewField>): Promise<FieldInfo>;
  deleteField(collection: string, field: string): Promise<string>;
}

export type FieldType =
  | 'string'
  | 'text'
  | 'integer'
  | 'bigInteger'
  | 'float'
  | 'decimal'
  | 'boolean'
  | 'uuid'
  | 'dateTime'
  | 'timestamp'
  | 'date'
  | 'time'
  | 'json'
  | 'csv'
  | 'hash'
  | 'binary';

/** A field as the REST API shows it. */
export interface FieldInfo {
  collection: string;
  field: string;
  /** `alias` where there is no column. */
  type: FieldType | 'alias';
  meta: { special: string[]; note: string | null; required?: boolean; validation?: any; sort: number; [member: string]: any };
  schema: (FieldSchema & { name: string; table: string; foreign_key_table: string | null; foreign_key_column: string | null }) | null;
}

/** Relations. The rules of {@link CollectionsService} hold. */
export interface RelationsService {
  readAll(collection?: string): Promise<RelationInfo[]>;
  readOne(collection: string, field: string): Promise<RelationInfo>;
  createOne(data: NewRelation): Promise<RelationInfo>;
  /** What `changes` doesn't say stays. */
  updateOne(collection: string, field: string, changes: RelationChanges): Promise<RelationInfo>;
  /** Drops the foreign key; the fields and their values stay. */
  deleteOne(collection: string, field: string): Promise<string>;
}

export type OnDelete = 'NO ACTION' | 'RESTRICT' | 'CASCADE' | 'SET NULL' | 'SET DEFAULT';

/** A relation as the REST API shows it. */
export interface RelationInfo {
  collection: string;
  field: string;
  /** Null where `meta.one_collection_field` tells it per item. */
  related_collection: string | null;
  meta: RelationMeta | null;
  schema: ForeignKey | null;
}

export interface RelationMeta {
  id: number | null;
  many_collection: string;
  many_field: string;
  one_collection: string | null;
  one_field: string | null;
  one_collection_field: string | null;
  one_allowed_collections: string[] | null;
  junction_field: string | null;
  sort_field: string | null;
  one_deselect_action: 'nullify' | 'delete';
  [member: string]: any;
}

export interface ForeignKey {
  table: string;
  column: string;
  foreign_key_table: string;
  foreign_key_column: string;
  constraint_name: string | null;
  on_update: OnDelete;
  on_delete: OnDelete;
}

/** A relation to be made. Without `schema` deleting what is referred to empties the field; with `schema: null` there is no foreign key. */
export interface NewRelation extends RelationChanges {
  collection: string;
  field: string;
  related_collection?: string | null;
}

/** What of a relation can be changed. */
export interface RelationChanges {
  meta?: Partial<RelationMeta> | null;
  schema?: Partial<ForeignKey> | null;
}

/** A field to be made. */
export interface NewField {
  field: string;
  /** `alias` makes a field without a column. */
  type: FieldType | 'alias';
  meta?: { special?: string[] | string | null; note?: string | null; required?: boolean; [member: string]: any } | null;
  schema?: Partial<FieldSchema> | null;
}

/** The column of a field. */
export interface FieldSchema {
  default_value: any;
  max_length: number | null;
  numeric_precision: number | null;
  numeric_scale: number | null;
  is_nullable: boolean;
  is_unique: boolean;
  is_indexed: boolean;
  is_primary_key: boolean;
  has_auto_increment: boolean;
}

/** An address, `'ann@example.com'` or `'Ann <ann@example.com>'`; a text may hold several with commas between. */
export type MailAddress = string | { readonly name?: string; readonly address: string };

/** A message. `text` or `html` is needed; beside an `html` alone the host puts a text of its own. */
export interface MailOptions {
  /** 100 recipients at most, `cc` and `bcc` included. */
  readonly to?: MailAddress | readonly MailAddress[];
  readonly cc?: MailAddress | readonly MailAddress[];
  readonly bcc?: MailAddress | readonly MailAddress[];
  readonly replyTo?: MailAddress | readonly MailAddress[];
  /** By default `SMTP_FROM`. */
  readonly from?: MailAddress;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  /** 10 MiB together with the texts. */
  readonly attachments?: readonly MailAttachment[];
}

/** A file in a message. */
export interface MailAttachment {
  readonly filename: string;
  readonly content: string | Uint8Array | ArrayBuffer;
  /** By default `application/octet-stream`. */
  readonly contentType?: string;
  /** How a text stands for bytes: `utf8` by default. */
  readonly encoding?: 'utf8' | 'base64';
}

/** What became of a message. */
export interface MailResult {
  readonly success: boolean;
  readonly messageId: string;
  /** Whom the server took it for. */
  readonly accepted: readonly string[];
  readonly rejected: readonly string[];
  /** It leaves after the commit. */
  readonly queued?: true;
  /** Why it wasn't sent. */
  readonly error?: string;
}

/** `services.mail()`. */
export interface MailService {
  send(options: MailOptions): Promise<MailResult>;
  /** Whether the mail server answers and takes the credentials. Rejects with `TRANSACTION_OPEN` in a transaction. */
  verify(): Promise<{ readonly success: boolean; readonly error?: string }>;
}

/** `services.cron`. */
export interface CronService {
  /** Has a job run now, in a transaction after the commit. `historyId` is '' when it was running already. */
  trigger(idOrName: string): Promise<{ readonly historyId: string }>;
  /** The jobs by name, without their code. */
  list(status?: 'active' | 'inactive'): Promise<CronJob[]>;
  /** One job, without its code; rejects with `NOT_FOUND`. */
  get(idOrName: string): Promise<CronJob>;
}

/** A job that runs by the clock. */
export interface CronJob {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  /** Five fields or a nickname such as `@daily`. */
  readonly schedule: string;
  /** The IANA name of its time zone. */
  readonly timezone: string;
  readonly status: 'active' | 'inactive';
  readonly timeout_ms: number;
  readonly memory_limit_mb: number;
  readonly running: boolean;
  readonly running_since: string | null;
  readonly last_run_at: string | null;
  readonly last_run_status: 'success' | 'error' | 'timeout' | null;
  readonly next_run_at: string | null;
}

/** `services.log`. The lines carry the extension and the request; `fields` are written behind the message as JSON. */
export interface LogService {
  debug(message: string, fields?: Item): void;
  info(message: string, fields?: Item): void;
  warn(message: string, fields?: Item): void;
  error(message: string, fields?: Item): void;
}
