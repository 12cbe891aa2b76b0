/**
 * Limits that hold over a fleet. Each member leases a share of a limit, such as the requests per
 * second of a key, and enforces its share alone. The live shares of a limit never sum to more than
 * its total.
 *
 * A member renews before its share ends. It then gives back what others need more; a member that
 * joins or gets busy reaches its fair share once the others have renewed. A member that dies gives
 * its share back when its lease ends.
 */
import { fairShare, type Claim } from './fair-share.ts';

export interface ShareRequest {
  readonly limit: string;
  /** The incarnation of the member. */
  readonly member: string;
  /** How much the member could use now, in the unit of the limit. */
  readonly demand: number;
  /** The limit of the fleet. */
  readonly total: number;
  /**
   * Members of the fleet. As long as some of them have no share, each takes an equal part or what it
   * demands: the callers of a member that dies go to others, and its share returns only when its
   * lease ends. Default: those with a share.
   */
  readonly members?: number | undefined;
  readonly ttlMs: number;
  /** Shares are whole numbers, because things are counted, such as running requests. */
  readonly whole?: boolean | undefined;
  /** The amount in use that it cannot give back at once: its share is not reduced below this. Default: 0. */
  readonly used?: number | undefined;
}

export interface Shares {
  /** @returns the share of this member until its lease ends; 0 when nothing is left. */
  renew(request: ShareRequest): Promise<number>;
}

/** The shares of a store, as a backend keeps them. */
export interface ShareStore {
  /** The live claims to a limit. */
  shareClaims(limit: string): Promise<Claim[]>;
  /** Replaces the claim of a member. @returns the granted share: what is left of the total at most. */
  claimShare(limit: string, claim: Claim, total: number, ttlMs: number): Promise<number>;
}

/** Factor on a demand, which may have grown by the next renewal. */
const HEADROOM = 2;

export function sharesOver(store: ShareStore): Shares {
  return {
    async renew({ limit, member, demand, total, ttlMs, members = 1, whole = false, used = 0 }) {
      const others = (await store.shareClaims(limit)).filter((each) => each.member !== member);
      const own = { member, demand: Math.max(demand, used), share: 0 };
      const claims = [...others, own];
      const equal = whole ? Math.ceil(total / members) : total / members;
      const most = claims.length >= members ? total : Math.max(HEADROOM * own.demand, equal);
      const fair = Math.min(most, fairShare(claims, member, total, whole));
      const share = Math.min(total, Math.max(fair, used));
      return store.claimShare(limit, { ...own, share }, total, ttlMs);
    },
  };
}
