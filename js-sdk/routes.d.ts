import type { EventContext } from './context.js';
import type { Item } from './query.js';

/** Routes that belong together: they live under `/api/ext` + `basePath`. */
export interface RouteGroup {
  /** For people. */
  readonly name?: string;
  /** One or more fixed segments, as in `/stock` or `/shop/v1`. No other extension may have the same. */
  readonly basePath: string;
  readonly description?: string;
  readonly routes: readonly RouteDefinition[];
}

/** One route. Who may call it: whoever is signed in, whoever has a permission, or everybody. */
export type RouteDefinition = GuardedRoute | PublicRoute;

/** What all routes have. */
export interface RouteBase {
  /**
   * Any HTTP method, or `ALL`: every method that no route of the same path names. `GET` answers HEAD too; OPTIONS is answered by the host
   * unless a route takes it.
   */
  readonly method: HttpMethod | (string & {});
  /** `/:id` is one segment, `/*rest` (last) all that follow, none included. Behind `basePath`. */
  readonly path: string;
  readonly description?: string;
  /** How often one caller (user, or else address) may call it. Past that: 429 with `Retry-After`. */
  readonly rateLimit?: RateLimit;
  /** OpenAPI parameter objects, for the description. Nothing is checked by them. */
  readonly parameters?: readonly Item[];
  readonly handler: RouteHandler;
}

/** A route for signed-in callers. Others get 401. */
export interface GuardedRoute extends RouteBase {
  /** Callers must be granted this action on that collection, as in `customers.read`. Others get 403. */
  readonly requiredPermission?: `${string}.${PermissionAction}`;
  readonly public?: false;
}

/** A route for everybody. */
export interface PublicRoute extends RouteBase {
  readonly public: true;
  readonly requiredPermission?: undefined;
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS' | 'ALL';

/** What a policy grants on a collection. */
export type PermissionAction = 'create' | 'read' | 'update' | 'delete';

export interface RateLimit {
  /** Calls of one caller within the window, and at once: 1 to 1,000,000. */
  readonly max: number;
  /** The window in milliseconds: 100 to 86,400,000. */
  readonly windowMs: number;
}

/**
 * Answers one request. A `Response`, returned or thrown, is answered as it is. A text becomes `text/plain`, bytes
 * `application/octet-stream`, nothing 204, and any other value JSON with 200.
 */
export type RouteHandler = (request: Request, context: RouteContext) => RouteAnswer | Promise<RouteAnswer>;

/** What a route may answer. */
export type RouteAnswer = Response | string | Uint8Array | ArrayBuffer | object | number | boolean | null | undefined | void;

/** What a route's handler is given last. */
export interface RouteContext extends EventContext {
  /** What stood at `:name` and `*name` in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The query string's parameters; of a name that comes twice, the last. `new URL(request.url).searchParams` has them all. */
  readonly query: Readonly<Record<string, string | undefined>>;
}
