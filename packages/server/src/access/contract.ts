/** Identifies callers and checks their rights. A face asks once per request and passes the tenant on. */
import type { SkeinError } from '@skein/api/errors';

export type Scope = 'infer' | 'read' | 'jobs' | 'admin';

export interface Caller {
  /** The key's id, or `local` on an open loopback node. */
  readonly actor: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
}

export interface Access {
  /**
   * Synchronous, because it runs for every request.
   * @param authorization the Authorization header (or gRPC metadata) as sent.
   * @throws SkeinError KEY_MISSING, KEY_INVALID, SCOPE_MISSING, RATE_LIMITED.
   */
  authorize(authorization: string | undefined, scope: Scope): Caller;
  /** Counts one more request of the caller's tenant as in flight; balanced by `leave`. @throws SkeinError QUOTA_EXCEEDED. */
  enter(caller: Caller): void;
  leave(caller: Caller): void;
  /**
   * Watches the caller's key for a connection that outlives its authorisation, such as a stream.
   * @param onEnd called once with KEY_INVALID when the key is revoked or expires; never on an open
   *   node. Must not throw.
   * @returns stops watching. Idempotent.
   */
  watch(caller: Caller, onEnd: (error: SkeinError) => void): () => void;
}

export interface NewKey {
  /** Label for operators. */
  readonly label: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  /** Requests per second; absent: unlimited. The requests of one second may arrive at once. */
  readonly ratePerSecond?: number | undefined;
  /** Requests that the tenant may have queued or running when this key is used; absent: unlimited. */
  readonly maxConcurrent?: number | undefined;
  /** Weight of the tenant, see `WeightOf`; of several valid keys the largest counts. */
  readonly weight?: number | undefined;
  /** ISO 8601; absent: never. */
  readonly expiresAt?: string | undefined;
}

/** The public part of a key: everything except its secret and the secret's hash. */
export interface KeyView extends NewKey {
  readonly id: string;
  readonly createdAt: string;
  readonly revokedAt?: string | undefined;
}

/** Management of API keys. A change takes effect on the next request. */
export interface Keys {
  /** @returns the key and its secret, which is shown once and never stored. @throws SkeinError STORAGE_FULL, KEYS_TOO_MANY. */
  create(key: NewKey): Promise<{ key: KeyView; secret: string }>;
  /** Every key, including revoked and expired ones, oldest first. */
  list(): Promise<KeyView[]>;
  /** One key, and whether its record is durable. @throws SkeinError KEY_UNKNOWN. */
  show(id: string): Promise<KeyView & { readonly durable: boolean }>;
  /**
   * Revokes a key; revoking it again is not an error. The key is rejected from the next request on,
   * even if the revocation cannot be written.
   * @throws SkeinError KEY_UNKNOWN, REVOCATION_NOT_DURABLE.
   */
  revoke(id: string): Promise<void>;
}
