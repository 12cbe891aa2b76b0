/**
 * The spending of a plan after a number of releases, against each number of colluding sites. The coordinator
 * stops by it, and each site by its own count. Runs in Node and in the browser.
 */
import { epsilonOf } from '@skein/train';
import { mechanismOf } from './complete.ts';
import type { LedgerEvent } from '../ledger/entry.ts';
import { canonical } from '@skein/api/canonical';
import { MOST_ATTEMPTS } from './encoding.ts';
import { noiseSharesOf, type NoiseShares } from './helpers.ts';
import { isPrivate } from './kinds/choices.ts';
import type { Plan } from './plan.ts';

/** ε against a number of sites that collude with the coordinator; with a committee, of helpers. */
export interface SpentEpsilon {
  readonly colluding: number;
  readonly epsilon: number;
}

/** By terms and releases: accounting takes a second, and is asked for at each step. */
const known = new Map<string, readonly SpentEpsilon[]>();
const MOST_KNOWN = 1000;

/** The remaining noise when k senders reveal theirs: shares of σ²/(t − c), of t − k honest ones. */
function noiseAgainst(shares: NoiseShares, noise: number, k: number): number {
  return noise * Math.sqrt((shares.fewest - k) / (shares.fewest - shares.colluding));
}

/**
 * Without collusion first, then with as many as the plan allows for: the budget is kept against
 * these. Empty without differential privacy.
 */
export function spentAfter(plan: Plan, releases: number): readonly SpentEpsilon[] {
  const { privacy } = plan;
  if (!isPrivate(privacy)) return [];
  const shares = noiseSharesOf(plan);
  const terms = canonical([privacy, shares, releases]);
  const found = known.get(terms);
  if (found !== undefined) return found;
  const spent = [...new Set([0, shares.colluding])].map((colluding) => {
    const noise = noiseAgainst(shares, privacy.noise, colluding);
    const mechanism = mechanismOf({ ...privacy, noise }, releases);
    return {
      colluding,
      epsilon: releases === 0 ? 0 : epsilonOf([mechanism], privacy.delta).epsilon,
    };
  });
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(terms, spent);
  return spent;
}

/** Whether a further release would spend more than the budget. */
export function isBudgetSpent(plan: Plan, releases: number): boolean {
  const { privacy } = plan;
  if (!isPrivate(privacy)) return false;
  // A value that is not a number is not within a budget.
  return !spentAfter(plan, releases + 1).every(
    ({ epsilon }) => epsilon <= privacy.epsilon * (1 + 1e-9),
  );
}

/** The most releases that a plan allows: by its budget, and by the attempts of its rounds. */
export function mostReleases(plan: Plan): number {
  const most = plan.rounds * MOST_ATTEMPTS;
  if (!isBudgetSpent(plan, most - 1)) return most;
  let [allowed, refused] = [0, most];
  while (refused - allowed > 1) {
    const middle = Math.floor((allowed + refused) / 2);
    if (isBudgetSpent(plan, middle - 1)) refused = middle;
    else allowed = middle;
  }
  return allowed;
}

/** Ledger entries before a sum may become known; none without differential privacy. */
export function chargeOf(
  plan: Plan,
  at: { readonly round: number; readonly attempt: number; readonly releases: number },
): readonly LedgerEvent[] {
  const { privacy } = plan;
  if (!isPrivate(privacy)) return [];
  const { clip, noise, delta } = privacy;
  const spent = spentAfter(plan, at.releases).map(({ colluding, epsilon }) => ({
    colluding,
    epsilon: Number.isFinite(epsilon) ? epsilon : null,
  }));
  return [{ kind: 'charged', ...at, clip, noise, delta, spent }];
}
