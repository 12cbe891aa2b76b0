/** Who calls, and what they may do. A face asks once per request and passes the tenant on. */
export type Scope = 'infer' | 'read' | 'admin';

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
}
