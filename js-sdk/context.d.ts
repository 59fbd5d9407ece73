import type { Services } from './services.js';

/** Who asks. Never null: a caller without credentials has `user: null` and no roles. Frozen. */
export interface Accountability {
  /** The key in `daas_users`; null for a caller without credentials; the all-zero uuid for the host itself. */
  readonly user: string | null;
  /** The first role. */
  readonly role: string | null;
  /** All roles, parents included. */
  readonly roles: readonly string[];
  /** Whether every permission check passes. */
  readonly admin: boolean;
  /** Whether the caller may use the app. */
  readonly app: boolean;
  /** The address of the HTTP caller; null for what the host starts itself. */
  readonly ip: string | null;
  /** What the HTTP caller says it is. */
  readonly userAgent: string | null;
  /** The caller's address, in lower case. */
  readonly email: string | null;
}

/** Which extension is running. */
export interface ExtensionInfo {
  readonly id: string;
  readonly name: string;
}

/** What every handler is given last. It belongs to one call and closes with it. */
export interface EventContext {
  /** Who asks. */
  readonly accountability: Accountability;
  /** The host's services, with the rights of the caller. */
  readonly services: Services;
  /** This extension. */
  readonly extension: ExtensionInfo;
  /** The `x-request-id` of the request that this belongs to; the log knows it. */
  readonly requestId: string;
  /** Fires shortly before the time limit of the call. */
  readonly signal: AbortSignal;
}
