/** The helpers of a plan, and the noise shares of its sums. Runs in Node and in the browser. */
import { SkeinError } from '@skein/api/errors';
import { isSignedBy } from '../identity/keys.ts';
import { aggregationIn, aroundOf } from './kinds/choices.ts';
import type { Plan, PlanDraft } from './plan.ts';
import type { PlannedHelper } from './terms.ts';

interface HasHelpers {
  readonly aggregation: Plan['aggregation'] | NonNullable<PlanDraft['aggregation']>;
}

/** None without a committee. */
export const helpersOf = (plan: HasHelpers): readonly PlannedHelper[] =>
  aggregationIn(plan).helpers;

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
  /** Number of the `fewest` shares whose senders may collude with the coordinator. */
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

/** Whether a repeated round has to be of the sites of its first sum: no noise hides the difference. */
export const isCohortFixed = (plan: Plan): boolean =>
  aggregationIn(plan).excludes?.(aroundOf(plan)).otherSites !== undefined;
