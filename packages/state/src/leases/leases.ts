/**
 * Leases by name: at most one holder at a time, on the store's clock.
 *
 * A holder that was paused may still believe that it holds its lease. So each lease has a fencing
 * token, which counts up with every acquisition, and a write that names a lease is refused when the
 * lease has ended or has a newer token.
 */

/** Names a lease in a write that only its holder may make. A `Lease` is one. */
export interface Fence {
  readonly name: string;
  readonly token: number;
}

export interface Lease extends Fence {
  /** @returns false when the lease has ended: acquire it again. */
  renew(): Promise<boolean>;
  /** Ends the lease now. Does nothing when it has ended. */
  release(): Promise<void>;
}

export interface Leases {
  /**
   * @param holder for operators, and to acquire again what the same holder still holds: with a new
   *   token, which fences the old one.
   * @returns undefined while another holder has it.
   */
  acquire(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;
  /** Who holds it now. */
  holder(name: string): Promise<string | undefined>;
}

/** The leases of a store, as a backend keeps them. */
export interface LeaseStore {
  /** @returns the token. */
  acquireLease(name: string, holder: string, ttlMs: number): Promise<number | undefined>;
  renewLease(fence: Fence, ttlMs: number): Promise<boolean>;
  releaseLease(fence: Fence): Promise<void>;
  leaseHolder(name: string): Promise<string | undefined>;
}

export function leasesOver(store: LeaseStore): Leases {
  return {
    async acquire(name, holder, ttlMs) {
      const token = await store.acquireLease(name, holder, ttlMs);
      if (token === undefined) return undefined;
      const fence = { name, token };
      return {
        ...fence,
        renew: () => store.renewLease(fence, ttlMs),
        release: () => store.releaseLease(fence),
      };
    },
    holder: (name) => store.leaseHolder(name),
  };
}
