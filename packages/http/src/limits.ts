/** Limits and timeouts of the faces. Sizes are bytes, times are milliseconds. */
export interface GatewayLimits {
  /** Largest body or message, after decompression. */
  readonly maxBodyBytes: number;
  /** From the request's headers to the last byte of its body. */
  readonly bodyTimeoutMs: number;
  /** From a connection's first byte to the end of the headers. */
  readonly headersTimeoutMs: number;
  /** HTTP connections open at once, in any state. */
  readonly maxConnections: number;
  /** How long an idle connection is kept; longer than the 60 s of load balancers. */
  readonly keepAliveTimeoutMs: number;
  /** While draining: how long open connections may still deliver requests that are on the wire. */
  readonly drainGraceMs: number;
  /** While draining: when requests in flight are cut off. */
  readonly drainTimeoutMs: number;
}

export const DEFAULT_LIMITS: GatewayLimits = {
  maxBodyBytes: 64 * 1024 * 1024,
  bodyTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  maxConnections: 1024,
  keepAliveTimeoutMs: 65_000,
  drainGraceMs: 300,
  drainTimeoutMs: 30_000,
};
