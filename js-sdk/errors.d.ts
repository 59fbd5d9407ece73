import type { ErrorCode } from './codes.js';

export type { ErrorCode } from './codes.js';

/** What the methods of services reject with. */
export interface ServiceError extends Error {
  /** One of the host's codes, or the one that a hook chose which refused the call. */
  readonly code: ErrorCode | (string & {});
  /** The HTTP status that goes with it. */
  readonly status: number;
  /** The field that it is about. */
  readonly field?: string;
}

/** What an error that a handler throws may carry besides its message: `Object.assign(new Error('Sold out'), { status: 409, code: 'SOLD_OUT' })`. */
export interface Refusal extends Error {
  /** 400 to 499. Default: 400. */
  status?: number;
  /** Letters, digits and `_`, 64 at most. Default: `EXTENSION_ERROR`. */
  code?: string;
}
