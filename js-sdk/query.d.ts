/**
 * A row: fields by name. Decimals, and whole numbers beyond ±2^53, are texts; dates and times are ISO texts; `json` fields are parsed.
 */
export type Item = Record<string, any>;

/** A primary key. */
export type Key = string | number;

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

/** A filter over a collection whose fields aren't known here. */
export interface LooseFilter {
  readonly _and?: readonly LooseFilter[];
  readonly _or?: readonly LooseFilter[];
  readonly [field: string]: FieldFilter | Scalar | readonly LooseFilter[] | undefined;
}

/** A filter over rows of type `T`. */
export type TypedFilter<T> = {
  readonly [F in keyof T]?: FieldFilter<NonNullable<T[F]> | Date> | T[F] | null;
} & {
  readonly _and?: readonly TypedFilter<T>[];
  readonly _or?: readonly TypedFilter<T>[];
};

/** Which rows: fields with what they must be, joined by and; `_and` and `_or` take lists of filters. 400 conditions at most. */
export type Filter<T extends Item = Item> = string extends keyof T ? LooseFilter : TypedFilter<T>;

/** Names of fields, as a list or with commas between. `*` is every field that the caller may read. */
export type Fields<T extends Item = Item> = string | readonly ((keyof T & string) | '*')[];

/** An order: names of fields, with `-` in front from high to low. */
export type Sort<T extends Item = Item> = string | readonly ((keyof T & string) | `-${keyof T & string}`)[];

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
}

/** What of rows to read whose keys are known. */
export interface KeyQuery<T extends Item = Item> {
  readonly fields?: Fields<T>;
  /** Rows that it doesn't let through count as missing. */
  readonly filter?: Filter<T> | null;
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

/** `{ aggregate: { count: ['*'], sum: ['price'] }, groupBy: ['status'] }` */
export interface AggregateQuery<T extends Item = Item> extends Omit<Query<T>, 'fields'> {
  readonly aggregate: { readonly [F in AggregateFunction]?: Fields<T> };
  /** One row per combination of values of these fields. */
  readonly groupBy?: string | readonly (keyof T & string)[];
}
