/** The helpers of a plan, and the noise shares of its sums. Runs in Node and in the browser. */
import { SkeinError } from '@skein/api/errors';
import { isSignedBy } from '../identity/keys.ts';
import type { Plan, PlannedHelper } from './plan.ts';

/** A plan, or a draft of one. */
interface HasHelpers {
  readonly aggregation:
    | { readonly kind: string }
    | { readonly kind: string; readonly helpers: readonly PlannedHelper[] };
}

/** None without a committee. */
export function helpersOf({ aggregation }: HasHelpers): readonly PlannedHelper[] {
  return 'helpers' in aggregation ? aggregation.helpers : [];
}

/** @throws SkeinError PLAN_INVALID if a helper has not signed the key that seeds are sealed to. */
export async function requireSealingKeys(plan: HasHelpers): Promise<void> {
  for (const { name, identity, sealing, proof } of helpersOf(plan)) {
    if (await isSignedBy(identity, 'sealing', sealing, proof)) continue;
    throw new SkeinError(
      'PLAN_INVALID',
      `The plan is refused: the helper ${name} has not signed the key to which seeds are sealed.`,
    );
  }
}

/** Who adds the noise of a sum. */
export interface NoiseShares {
  readonly of: 'sites' | 'helpers';
  /** Shares that a sum has at least. */
  readonly fewest: number;
  /** Shares that it has at most. */
  readonly most: number;
  /** Of `fewest`, those whose senders may collude with the coordinator. */
  readonly colluding: number;
}

/** Each surviving site adds a share; with a committee each helper does, and none may be lost. */
export function noiseSharesOf(
  plan: Pick<Plan, 'aggregation' | 'collusion' | 'sites'>,
): NoiseShares {
  const { collusion, sites } = plan;
  const { length } = helpersOf(plan);
  return length === 0
    ? { of: 'sites', fewest: sites.threshold, most: sites.maximum, colluding: collusion.sites }
    : { of: 'helpers', fewest: length, most: length, colluding: collusion.helpers ?? 0 };
}

/** Whether a round that is tried again has to be of the sites of its first sum: no noise hides the difference. */
export function isCohortFixed({
  aggregation,
  privacy,
}: Pick<Plan, 'aggregation' | 'privacy'>): boolean {
  return (
    aggregation.kind === 'committee' &&
    privacy.mode === 'none' &&
    aggregation.repeatWithOthers !== true
  );
}
