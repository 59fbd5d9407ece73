/**
 * A row: fields by name. Decimals, and whole numbers beyond ±2^53, are texts; dates and times are ISO texts; `json` fields are parsed.
 */
export type Item = Record<string, any>;

/** A primary key. */
export type Key = string | number;

/**
 * What is written to a row: any of its fields. A field that leads to other items, as in `{ author: Author | string; comments: Comment[] }`,
 * also takes these, any number of levels deep.
 */
export type ItemInput<T extends Item = Item> = string extends keyof T ? Item : { readonly [F in keyof T]?: T[F] | Related<T[F]> };

/** Items that a field leads to, as they are written: the one item with its key or without, or what becomes of a list. */
type Related<V> = V extends readonly (infer E)[]
  ? [Extract<E, object>] extends [never] ? never : ListInput<Extract<E, object>>
  : V extends Date ? never
  : V extends object ? ItemInput<V>
  : never;

/** A list as it is to be, of items and keys, or the changes of one. */
export type ListInput<E extends Item = Item> = readonly (ItemInput<E> | Key)[] | ListChanges<E> | null;

/** Changes of a list: items that join it, items of it that change, each with its key, and the keys of those that leave it. */
export interface ListChanges<E extends Item = Item> {
  readonly create?: readonly ItemInput<E>[];
  readonly update?: readonly ItemInput<E>[];
  readonly delete?: readonly Key[];
}

/** What a filter compares with. */
export type Scalar = string | number | bigint | boolean | Date | null;

/**
 * Comparisons of one field; all of them must hold. A negated one also holds where the field is null: what a positive operator doesn't
 * match, its negation does.
 */
export interface FieldFilter<V = Scalar> {
  readonly _eq?: V | null;
  readonly _neq?: V | null;
  readonly _lt?: V;
  readonly _lte?: V;
  readonly _gt?: V;
  readonly _gte?: V;
  /** Any number of values. */
  readonly _in?: readonly (V | null)[];
  readonly _nin?: readonly (V | null)[];
  readonly _null?: boolean;
  readonly _nnull?: boolean;
  readonly _contains?: string;
  readonly _ncontains?: string;
  /** The forms with `i` ignore the case. */
  readonly _icontains?: string;
  readonly _nicontains?: string;
  readonly _starts_with?: string;
  readonly _nstarts_with?: string;
  readonly _istarts_with?: string;
  readonly _nistarts_with?: string;
  readonly _ends_with?: string;
  readonly _nends_with?: string;
  readonly _iends_with?: string;
  readonly _niends_with?: string;
  /** Both ends included. */
  readonly _between?: readonly [V, V];
  readonly _nbetween?: readonly [V, V];
  /** Null, or empty. */
  readonly _empty?: boolean;
  readonly _nempty?: boolean;
  /** A pattern found anywhere in the text. */
  readonly _regex?: string;
}

/** What the items of a list must be, for a row to match. */
export interface ListFilter {
  /** One of them matches all of it; the same as the bare conditions. */
  readonly _some?: LooseFilter;
  /** None of them matches. */
  readonly _none?: LooseFilter;
  /** Whether there is any. */
  readonly _has?: boolean | LooseFilter;
}

/** A filter over a collection whose fields aren't known here: fields, paths (`author.name`) and functions (`year(at)`, `count(tags)`). */
export interface LooseFilter {
  readonly _and?: readonly LooseFilter[];
  readonly _or?: readonly LooseFilter[];
  readonly [field: string]: FieldFilter | ListFilter | LooseFilter | Scalar | readonly LooseFilter[] | undefined;
}

/** What can be made of a date in a query, in UTC. `week` is that of ISO 8601, `weekday` counts from Sunday, 0. */
export type DateFunction = 'year' | 'month' | 'week' | 'day' | 'weekday' | 'hour' | 'minute' | 'second';

/** A way through relations, or a function of a field: `author.name`, `item:headings.text`, `year(at)`, `count(tags)`. */
export type Path = `${string}.${string}` | `${DateFunction | 'count'}(${string})`;

/** A filter over what a field of type `V` leads to, if it leads to items. */
type Beyond<V> = [Extract<V, object>] extends [never] ? never : ListFilter | LooseFilter;

/**
 * A filter over rows of type `T`. A field whose type has items, as in `{ author: Author | string }`, also takes a filter over them; any other
 * way is a path: `{ 'author.name': 'Ann' }`.
 */
export type TypedFilter<T> = {
  readonly [F in keyof T]?: FieldFilter<NonNullable<T[F]> | Date> | Beyond<NonNullable<T[F]>> | T[F] | null;
} & {
  readonly [path: Path]: FieldFilter<any> | ListFilter | LooseFilter | Scalar | undefined;
} & {
  readonly _and?: readonly TypedFilter<T>[];
  readonly _or?: readonly TypedFilter<T>[];
};

/**
 * Which rows: fields with what they must be, joined by and; `_and` and `_or` take lists of filters. 400 conditions at most, through at most
 * 10 relations. Texts such as `$NOW(+7 days)` and `$CURRENT_USER` stand for what they name.
 */
export type Filter<T extends Item = Item> = string extends keyof T ? LooseFilter : TypedFilter<T>;

/**
 * Names of fields and ways through relations, as a list or with commas between. `*` is every field that the caller may read, `*.*` every
 * field of every relation.
 */
export type Fields<T extends Item = Item> = string | readonly ((keyof T & string) | '*' | Path)[];

/** An order: names of fields, or ways to them, with `-` in front from high to low. */
export type Sort<T extends Item = Item> = string | readonly ((keyof T & string) | `-${keyof T & string}` | Path | `-${Path}`)[];

/** A query for each relation that is read along, by its name in the answer. */
export interface Deep {
  readonly [relation: string]: DeepQuery;
}

/** What the items of a relation are read with, and the same for relations below. `_limit`, `_offset` and `_page` count within each list. */
export interface DeepQuery {
  readonly _filter?: LooseFilter | null;
  readonly _sort?: string | readonly string[];
  readonly _limit?: number;
  readonly _offset?: number;
  readonly _page?: number;
  readonly _search?: string;
  readonly _fields?: string | readonly string[];
  readonly [relation: string]: DeepQuery | LooseFilter | string | readonly string[] | number | null | undefined;
}

/** Which rows to read, and what of them. */
export interface Query<T extends Item = Item> {
  readonly fields?: Fields<T>;
  readonly filter?: Filter<T> | null;
  readonly sort?: Sort<T>;
  /** At most so many rows; -1, or none, is all of them, and an error (`QUERY_TOO_LARGE`) past `QUERY_LIMIT_MAX`. */
  readonly limit?: number;
  /** The page, from 1, where there is a `limit`. */
  readonly page?: number;
  /** Rows to leave out at the beginning, instead of `page`. */
  readonly offset?: number;
  /** Text to be found in any text field, whatever the case. */
  readonly search?: string;
  /** Other names for fields in the answer: `{ writer: 'author' }`. */
  readonly alias?: { readonly [name: string]: string };
  /** Queries for the relations that are read along. */
  readonly deep?: Deep;
}

/** What of rows to read whose keys are known. */
export interface KeyQuery<T extends Item = Item> {
  readonly fields?: Fields<T>;
  /** Rows that it doesn't let through count as missing. */
  readonly filter?: Filter<T> | null;
  /** Other names for fields in the answer. */
  readonly alias?: { readonly [name: string]: string };
  /** Queries for the relations that are read along. */
  readonly deep?: Deep;
  /** As in {@link ReadOptions}. */
  readonly lock?: boolean;
}

/** How to read rows whose keys are known. */
export interface ReadOptions {
  /**
   * Opens the transaction and keeps the rows from other writers until it ends. Only in a filter, or inside `services.transaction()`.
   */
  readonly lock?: boolean;
}

/** What can be computed over rows. */
export type AggregateFunction =
  | 'count'
  | 'countDistinct'
  | 'countAll'
  | 'sum'
  | 'sumDistinct'
  | 'avg'
  | 'avgDistinct'
  | 'min'
  | 'max';

/** `{ aggregate: { count: ['*'], sum: ['price'] }, groupBy: ['status', 'year(at)'] }` */
export interface AggregateQuery<T extends Item = Item> extends Omit<Query<T>, 'fields' | 'alias' | 'deep' | 'sort'> {
  readonly aggregate: { readonly [F in AggregateFunction]?: string | readonly ((keyof T & string) | '*')[] };
  /** One row per combination of values of these fields, or of parts of dates. */
  readonly groupBy?: string | readonly ((keyof T & string) | `${DateFunction}(${string})`)[];
  /** By what the groups are answered with: `status`, `at_year`, `count`, `-sum.price`. */
  readonly sort?: string | readonly string[];
}
