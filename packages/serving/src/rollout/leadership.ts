/** The lease under which one member of a fleet takes the steps of a rollout. A node alone always leads. */
import type { Lease } from '@skein/state';
import type { ServingContext } from '../context.ts';
import type { Instant } from '../contract.ts';

/** A leader that does not renew for so long is replaced, in milliseconds. */
const LEASE_MS = 3000;

export const leaseName = (deployment: string): string => `rollout/${deployment}`;

export class Leadership {
  readonly #context: Pick<ServingContext, 'peers' | 'state' | 'clock'>;
  readonly #deployment: string;
  #held: { readonly lease: Lease; readonly renewedAt: Instant } | undefined;

  constructor(context: Pick<ServingContext, 'peers' | 'state' | 'clock'>, deployment: string) {
    this.#context = context;
    this.#deployment = deployment;
  }

  /** Number of this member's leadership, while it leads. */
  get lease(): Lease | undefined {
    return this.#held?.lease;
  }

  /** Whether this member leads now; it takes the lead where no other one has it. */
  async leads(): Promise<boolean> {
    const { peers, state, clock } = this.#context;
    if (peers === undefined) return true;
    const now = clock.now();
    const held = this.#held;
    if (held !== undefined && now - held.renewedAt < LEASE_MS / 3) return true;
    if (held !== undefined && (await held.lease.renew())) {
      this.#held = { lease: held.lease, renewedAt: now };
      return true;
    }
    const lease = await state.leases.acquire(leaseName(this.#deployment), peers.self, LEASE_MS);
    this.#held = lease && { lease, renewedAt: now };
    return lease !== undefined;
  }

  /** The store has refused the lease. */
  lost(): void {
    this.#held = undefined;
  }

  async release(): Promise<void> {
    await this.#held?.lease.release().catch(() => {});
  }
}
