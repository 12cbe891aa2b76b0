/**
 * Limits of keys that hold over a fleet: this node leases a share of each limit that its callers
 * use, and enforces the share alone, so that no request waits for the store.
 *
 * Before the first lease, and after a pause, a node admits an equal part of the limit. While the
 * store is away it continues with its last share. A key without calls is not renewed: its share
 * returns to the others when the lease ends.
 */
import type { Clock } from '@skein/serving';
import type { Shares } from '@skein/state';
import type { HeldKey, KeyRing } from '../keys/key-ring.ts';
import { resize } from './token-bucket.ts';

export interface LimitSharesOptions {
  readonly shares: Shares;
  /** Identifies this node among the holders of shares. */
  readonly member: string;
  /** How many nodes share the limits now. */
  readonly nodes: () => number;
  readonly keys: Pick<KeyRing, 'limited'>;
  /** Requests of a tenant that are in flight on this node. */
  readonly inFlight: (tenant: string) => number;
  readonly clock: Clock;
}

export interface LimitShares {
  /** Gives new keys their equal part, before their first call. */
  divide(): void;
  /** One renewal of every share in use; the timer calls it. */
  renew(): Promise<void>;
  close(): void;
}

/** How soon a share follows the demand. A share moves in two steps: one node gives, another takes. */
const EVERY_MS = 250;
/** A node that is paused for longer loses its shares, and does not know it. */
const LEASE_MS = 5000;
/** Within it the others have given a member that has just got a share what is due to it. */
const SETTLED_MS = 1000;
/** Without a call for this long a key gives its share back. */
const IDLE_MS = 3000;
/** Keys that are renewed at a time; the others wait for the next turn. */
const MOST = 256;

/** This node's view of a key. */
interface Use {
  asked: number;
  /** Requests per second. */
  demand: number;
  busyAt: number;
  renewedAt: number;
  /** When its last share ends in the store. */
  leasedUntil: number;
  /** Since when it has had a share without a gap. */
  leasedSince: number;
}

export function leaseLimits(options: LimitSharesOptions): LimitShares {
  const { shares, member, keys, inFlight, clock } = options;
  const uses = new Map<HeldKey, Use>();
  let nodes = 0;
  let lastAt = clock.now();
  let running: Promise<void> | undefined;

  /** The part of a node that holds no lease: as if every node had the same. */
  function divideEqually(key: HeldKey): void {
    if (key.bucket !== undefined) resize(key.bucket, key.ratePerSecond! / nodes, clock.now());
    if (key.maxConcurrent < Infinity) key.concurrent = equalPart(key);
  }
  const equalPart = (key: HeldKey): number => Math.max(1, Math.floor(key.maxConcurrent / nodes));

  function useOf(key: HeldKey): Use {
    let use = uses.get(key);
    if (use === undefined) {
      const asked = key.bucket?.asked ?? 0;
      const never = -Infinity;
      use = {
        asked,
        demand: 0,
        busyAt: never,
        renewedAt: never,
        leasedUntil: never,
        leasedSince: never,
      };
      uses.set(key, use);
      divideEqually(key);
    }
    return use;
  }

  /** @returns the keys that had recent calls. */
  function notice(now: number): [HeldKey, Use][] {
    const passedMs = Math.max(1, now - lastAt);
    lastAt = now;
    const before = nodes;
    nodes = Math.max(1, options.nodes());
    for (const key of uses.keys()) if (key.revoked) uses.delete(key);
    const busy: [HeldKey, Use][] = [];
    for (const key of keys.limited()) {
      const use = useOf(key);
      const asked = key.bucket?.asked ?? 0;
      const rate = (1000 * (asked - use.asked)) / passedMs;
      use.asked = asked;
      // A burst between two renewals must not count as a rate for long, nor be dropped at once.
      use.demand = Math.max(rate, use.demand / 2);
      if (rate > 0 || key.crowdedOut > 0 || inFlight(key.caller.tenant) > 0) use.busyAt = now;
      if (now - use.busyAt < IDLE_MS) {
        busy.push([key, use]);
      } else if (use.leasedUntil > -Infinity || nodes !== before) {
        use.leasedUntil = -Infinity;
        divideEqually(key);
      }
    }
    return busy;
  }

  /**
   * The first lease raises nothing: a node that has admitted an equal part without a lease shows it
   * to the others with its own first renewal, which may come later. Nor do the first ones take the
   * equal part away: the others may hold all of the limit until they renew.
   */
  async function renewOne(key: HeldKey, use: Use): Promise<void> {
    const { actor, tenant } = key.caller;
    const common = { member, members: nodes, ttlMs: LEASE_MS };
    use.renewedAt = clock.now();
    const isFirst = use.renewedAt > use.leasedUntil;
    if (isFirst) use.leasedSince = use.renewedAt;
    const isNew = use.renewedAt - use.leasedSince < SETTLED_MS;
    const partOf = (share: number, equal: number): number => {
      if (isFirst) return equal;
      return isNew ? Math.max(share, equal) : share;
    };
    if (key.bucket !== undefined && key.ratePerSecond !== undefined) {
      const total = key.ratePerSecond;
      const request = { ...common, limit: `rate:${actor}`, demand: use.demand, total };
      const share = await shares.renew(request);
      resize(key.bucket, partOf(share, total / nodes), clock.now());
    }
    if (key.maxConcurrent < Infinity) {
      const used = inFlight(tenant);
      const demand = used + key.crowdedOut;
      key.crowdedOut = 0;
      const total = key.maxConcurrent;
      const request = { ...common, limit: `concurrent:${actor}`, demand, total, used, whole: true };
      const share = await shares.renew(request);
      key.concurrent = partOf(share, equalPart(key));
    }
    use.leasedUntil = use.renewedAt + LEASE_MS;
  }

  async function renew(): Promise<void> {
    const busy = notice(clock.now());
    const oldest = busy.sort(([, a], [, b]) => a.renewedAt - b.renewedAt).slice(0, MOST);
    // A share that could not be renewed stays as it is.
    await Promise.allSettled(oldest.map(([key, use]) => renewOne(key, use)));
  }

  function divide(): void {
    for (const key of keys.limited()) useOf(key);
  }

  notice(clock.now());
  const timer = setInterval(() => {
    running ??= renew().finally(() => (running = undefined));
  }, EVERY_MS).unref();
  return { divide, renew, close: () => clearInterval(timer) };
}
