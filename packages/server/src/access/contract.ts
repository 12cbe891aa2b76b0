/** Who calls, and what they may do. A face asks once per request and passes the tenant on. */
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
   * Synchronous, because it is on the hot path.
   * @param authorization the Authorization header (or gRPC metadata) as sent.
   * @throws SkeinError KEY_MISSING, KEY_INVALID, SCOPE_MISSING, RATE_LIMITED.
   */
  authorize(authorization: string | undefined, scope: Scope): Caller;
  /** Whether the caller's tenant may have one more request in flight; balanced by `leave`. @throws SkeinError QUOTA_EXCEEDED. */
  enter(caller: Caller): void;
  leave(caller: Caller): void;
  /**
   * For what stays open after its request was authorised, such as a stream.
   * @param onEnd told once, with KEY_INVALID, when the caller's key is revoked or expires; never on
   *   an open node. Must not throw.
   * @returns stops watching. Idempotent.
   */
  watch(caller: Caller, onEnd: (error: SkeinError) => void): () => void;
}

export interface NewKey {
  /** What a person calls it. */
  readonly label: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  /** Requests per second; absent: unlimited. A second's worth may come at once. */
  readonly ratePerSecond?: number | undefined;
  /** Requests that the tenant may have waiting or running when this key asks; absent: unlimited. */
  readonly maxConcurrent?: number | undefined;
  /** Share of the tenant beside others, see `WeightOf`; of several valid keys the largest counts. */
  readonly weight?: number | undefined;
  /** ISO 8601; absent: never. */
  readonly expiresAt?: string | undefined;
}

/** What may be shown of a key: everything but its secret and the secret's hash. */
export interface KeyView extends NewKey {
  readonly id: string;
  readonly createdAt: string;
  readonly revokedAt?: string | undefined;
}

/** API keys as a person manages them. A change takes effect on the next request. */
export interface Keys {
  /** @returns the key and its secret, which is shown this once and stored nowhere. @throws SkeinError STORAGE_FULL, KEYS_TOO_MANY. */
  create(key: NewKey): Promise<{ key: KeyView; secret: string }>;
  /** Every key, revoked and expired ones too, oldest first. */
  list(): Promise<KeyView[]>;
  /** One key, and whether a restart would show the same of it. @throws SkeinError KEY_UNKNOWN. */
  show(id: string): Promise<KeyView & { readonly durable: boolean }>;
  /**
   * Revokes a key; again is no error. It is refused from the next request on in any case, also when
   * that cannot be written.
   * @throws SkeinError KEY_UNKNOWN, REVOCATION_NOT_DURABLE.
   */
  revoke(id: string): Promise<void>;
}
