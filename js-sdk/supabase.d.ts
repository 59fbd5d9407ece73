import type { Item } from './query.js';

/**
 * `services.supabase`: a raw client over the same database, with the chain of `@supabase/postgrest-js`. It asks no permission and fires no
 * hook. Inside a filter, and with the services of `transaction()`, what it writes belongs to that transaction.
 */
export interface SupabaseClient {
  /** A table or a view. Those of the host (`daas_…`) need the capability `rawdb:system`. */
  from<T extends Item = Item>(relation: string): SupabaseTable<T>;
  /** Calls a function of Postgres. SQLite has none. */
  rpc<R = any>(name: string, args?: Item, options?: { head?: boolean; get?: boolean; count?: SupabaseCount }): SupabaseFilter<R>;
  /** There is one schema: anything but `public` throws. */
  schema(name: 'public'): SupabaseClient;
}

/** How rows are counted. SQLite has no planner that guesses, and counts. */
export type SupabaseCount = 'exact' | 'planned' | 'estimated';

/** What a chain answers. It doesn't reject, unless `throwOnError` was called. */
export interface SupabaseResult<R = any> {
  success: boolean;
  data: R | null;
  error: SupabaseError | null;
  count: number | null;
  status: number;
  statusText: string;
}

/** `code` is PostgREST's (`PGRST116`) or the database's (`23505`). */
export interface SupabaseError {
  code: string;
  message: string;
  details: string | null;
  hint: string | null;
}

export interface SupabaseTable<T extends Item = Item> {
  select<R = T[]>(columns?: string, options?: { head?: boolean; count?: SupabaseCount }): SupabaseFilter<R>;
  insert(values: Partial<T> | readonly Partial<T>[], options?: { count?: SupabaseCount; defaultToNull?: boolean }): SupabaseFilter<null>;
  upsert(
    values: Partial<T> | readonly Partial<T>[],
    options?: { onConflict?: string; ignoreDuplicates?: boolean; count?: SupabaseCount; defaultToNull?: boolean },
  ): SupabaseFilter<null>;
  /** Needs a filter. */
  update(values: Partial<T>, options?: { count?: SupabaseCount }): SupabaseFilter<null>;
  /** Needs a filter. */
  delete(options?: { count?: SupabaseCount }): SupabaseFilter<null>;
}

/** Of which embedded resource a part of the chain speaks. */
export interface SupabaseEmbedded {
  referencedTable?: string;
  foreignTable?: string;
}

/** A request in the making; awaiting it sends it. */
export interface SupabaseFilter<R = any> {
  eq(column: string, value: unknown): this;
  neq(column: string, value: unknown): this;
  gt(column: string, value: unknown): this;
  gte(column: string, value: unknown): this;
  lt(column: string, value: unknown): this;
  lte(column: string, value: unknown): this;
  like(column: string, pattern: string): this;
  ilike(column: string, pattern: string): this;
  likeAllOf(column: string, patterns: readonly string[]): this;
  likeAnyOf(column: string, patterns: readonly string[]): this;
  ilikeAllOf(column: string, patterns: readonly string[]): this;
  ilikeAnyOf(column: string, patterns: readonly string[]): this;
  regexMatch(column: string, pattern: string): this;
  regexIMatch(column: string, pattern: string): this;
  is(column: string, value: boolean | null): this;
  isDistinct(column: string, value: unknown): this;
  in(column: string, values: readonly unknown[]): this;
  notIn(column: string, values: readonly unknown[]): this;
  /** Containers and ranges need Postgres. */
  contains(column: string, value: string | readonly unknown[] | Item): this;
  containedBy(column: string, value: string | readonly unknown[] | Item): this;
  overlaps(column: string, value: string | readonly unknown[]): this;
  rangeGt(column: string, range: string): this;
  rangeGte(column: string, range: string): this;
  rangeLt(column: string, range: string): this;
  rangeLte(column: string, range: string): this;
  rangeAdjacent(column: string, range: string): this;
  /** Full-text search needs Postgres. */
  textSearch(column: string, query: string, options?: { config?: string; type?: 'plain' | 'phrase' | 'websearch' }): this;
  match(query: Item): this;
  not(column: string, operator: string, value: unknown): this;
  or(filters: string, options?: SupabaseEmbedded): this;
  filter(column: string, operator: string, value: unknown): this;
  /** After a write: answers the written rows. */
  select<S = any[]>(columns?: string): SupabaseFilter<S>;
  order(column: string, options?: SupabaseEmbedded & { ascending?: boolean; nullsFirst?: boolean }): this;
  limit(rows: number, options?: SupabaseEmbedded): this;
  /** From the one to the other, both included. */
  range(from: number, to: number, options?: SupabaseEmbedded): this;
  /** Exactly one row; anything else is an error, and undoes a write. */
  single<S = R extends readonly (infer Row)[] ? Row : any>(): SupabaseFilter<S>;
  /** One row, or null. */
  maybeSingle<S = R extends readonly (infer Row)[] ? Row : any>(): SupabaseFilter<S>;
  csv(): SupabaseFilter<string>;
  stripNulls(): this;
  /** Refuses to write more rows, and undoes it. */
  maxAffected(rows: number): this;
  abortSignal(signal: AbortSignal): this;
  throwOnError(): this;
  returns<S>(): SupabaseFilter<S>;
  overrideTypes<S>(): SupabaseFilter<S>;
  retry(enabled: boolean): this;
  /** Not there: throws. */
  explain(options?: Item): never;
  /** Not there: throws. */
  geojson(): never;
  /** Not there: throws. Throw inside `services.transaction()` instead. */
  rollback(): never;
  /** Not there: throws. */
  setHeader(name: string, value: string): never;
  then<A = SupabaseResult<R>, B = never>(
    onFulfilled?: ((result: SupabaseResult<R>) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B>;
}
