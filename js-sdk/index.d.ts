/**
 * Types for extensions of Trellis.
 *
 * An extension is an ES module that exports {@link Register | `register(sdk)`}. This package holds no code: everything arrives through
 * the arguments of `register` and of the handlers.
 */

export * from './context.js';
export * from './errors.js';
export * from './events.js';
export * from './query.js';
export * from './routes.js';
export * from './schedules.js';
export * from './services.js';
export * from './supabase.js';

import type { Emitter } from './events.js';
import type { Item } from './query.js';
import type { RouteGroup } from './routes.js';
import type { ScheduleHandler, ScheduleOptions } from './schedules.js';
import type { ItemsService, ServiceOptions } from './services.js';

/**
 * The collections of your server, by name: empty here, and filled by what `trellis types` prints or `GET /api/extensions/types.d.ts` answers. With
 * that file beside your extensions, hooks know their payloads and `services.items` its rows.
 */
export interface Collections {}

/** A row of a collection, as far as {@link Collections} says what that is. */
export type Row<C extends string> = C extends keyof Collections ? Collections[C] : Item;

/**
 * What an extension's module exports under the name `register`. It runs once per load, under the limits of a call, with neither services nor
 * a caller; what it registers must be the same in every load.
 */
export type Register = (sdk: RegisterSdk) => void | Promise<void>;

/** What `register` is given. */
export interface RegisterSdk {
  /** Subscribes hooks to events. */
  readonly emitter: Emitter;

  /**
   * The items of one collection with the rights of the system, not of the caller. Returns at once; awaiting it is harmless. May be made in
   * `register` and used in handlers: what it does belongs to the operation that is running. Used outside of one it throws.
   */
  createItemsService<C extends keyof Collections & string>(collection: C, options?: ServiceOptions): ItemsService<Row<C>>;
  createItemsService<T extends Item = Item>(collection: string, options?: ServiceOptions): ItemsService<T>;

  /** Adds routes under `/api/ext` + `basePath`. Only within `register`. */
  registerRoutes(group: RouteGroup): void;

  /**
   * Runs a handler by the clock: five fields (minute hour day month weekday) or `@daily` and its kin. Each tick runs once, on however many servers
   * share the database. Only within `register`.
   */
  schedule(schedule: string, handler: ScheduleHandler, options?: ScheduleOptions): void;
}
