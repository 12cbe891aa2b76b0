/**
 * Divides the cores of a node among its versions, so that threads × replicas never exceed them: a
 * thread that waits for a core delays every run, not only its own.
 *
 * In this order, each step only while cores are left:
 * 1. every version gets its minimum, even beyond the cores: the settings guarantee it, and
 *    `core-claims.ts` has checked it against the cores;
 * 2. every version gets what it wants, up to an equal share of the cores;
 * 3. running replicas that are still wanted stay, so that two busy versions do not alternate;
 * 4. the rest goes to the version with the smallest fraction of what it wants.
 *
 * A version that may oversubscribe gets all that it wants and takes no share. Minimums exceed the
 * cores in two cases: while a rollout loads a version next to the old one, whose replicas are part
 * of its minimum, and when a request woke a version with a minimum of 0, which then keeps one
 * replica.
 */
export interface Claim {
  readonly id: string;
  readonly threads: number;
  readonly min: number;
  readonly wanted: number;
  /** Current replicas. */
  readonly current: number;
  readonly oversubscribe: boolean;
}

/** @returns replicas by claim id; between `min` and `wanted`. */
export function divideCores(claims: readonly Claim[], cores: number): Map<string, number> {
  const granted = new Map<string, number>();
  const limited: Claim[] = [];
  let left = cores;
  for (const claim of claims) {
    if (claim.oversubscribe) {
      granted.set(claim.id, Math.max(claim.min, claim.wanted));
      continue;
    }
    granted.set(claim.id, claim.min);
    left -= claim.min * claim.threads;
    limited.push(claim);
  }
  limited.sort((a, b) => (a.id < b.id ? -1 : 1));

  const raise = (limitOf: (claim: Claim) => number): void => {
    for (;;) {
      let neediest: Claim | undefined;
      let smallest = Infinity;
      for (const claim of limited) {
        const has = granted.get(claim.id)!;
        if (has >= Math.min(claim.wanted, limitOf(claim)) || claim.threads > left) continue;
        const part = has / claim.wanted;
        if (part < smallest) {
          smallest = part;
          neediest = claim;
        }
      }
      if (neediest === undefined) return;
      granted.set(neediest.id, granted.get(neediest.id)! + 1);
      left -= neediest.threads;
    }
  };
  const share = cores / Math.max(1, limited.length);
  raise((claim) => Math.floor(share / claim.threads));
  raise((claim) => claim.current);
  raise(() => Infinity);
  return granted;
}
