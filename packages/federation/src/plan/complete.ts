/** Turns a draft into a plan: computes what follows from the rest. */
import { SkeinError } from '@skein/api/errors';
import { noiseFor, type Mechanism } from '@skein/train';
import { checkPlan, parsed, refuse } from './check.ts';
import { type Plan, PlanDraft } from './plan.ts';

/** Secure aggregation keeps a majority of two thirds: t = ⌊2n/3⌋ + 1 (Bonawitz 2017, active security). */
export function thresholdOf(sites: number): number {
  return Math.min(sites, Math.floor((2 * sites) / 3) + 1);
}

/** @throws SkeinError PLAN_INVALID, naming the fields. */
export function completePlan(draft: PlanDraft): Plan {
  const { privacy, sites, ...rest } = parsed(PlanDraft, draft);
  const threshold = sites.threshold ?? thresholdOf(sites.minimum);
  if (privacy.mode === 'none') {
    return checkPlan({ ...rest, privacy, sites: { ...sites, threshold } });
  }
  const { denominator = privacy.mode === 'client' ? sites.minimum : undefined } = privacy;
  if (denominator === undefined) {
    refuse(
      'privacy.denominator is missing: a public number of rows, such as a rounded count of all patients, by which sums are divided.',
    );
  }
  const plan = checkPlan({
    ...rest,
    privacy: { ...privacy, denominator, noise: privacy.noise ?? 1 },
    sites: { ...sites, threshold },
  });
  if (privacy.noise !== undefined || plan.privacy.mode === 'none') return plan;
  // The search for the noise takes seconds, so it comes after all that can be refused.
  return { ...plan, privacy: { ...plan.privacy, noise: calibrated(plan.privacy, plan.rounds) } };
}

type Private = Exclude<Plan['privacy'], { mode: 'none' }>;

/**
 * What releases of a plan spend, as the accountants see it: sums of discrete Gaussians, of which only the
 * Rényi divergence is known. A share is never under 4 levels (see `noisePlan`), where what the sum differs from
 * a Gaussian (τ of Kairouz 2021) is below 1e-60, so the noise of the plan is that of the mechanism.
 */
export function mechanismOf(
  { noise, sampling }: Pick<Private, 'noise' | 'sampling'>,
  releases: number,
): Mechanism {
  return { kind: 'discrete', noise, sampling, steps: releases };
}

function calibrated(
  { sampling, epsilon, delta }: Pick<Private, 'sampling' | 'epsilon' | 'delta'>,
  rounds: number,
): number {
  try {
    return noiseFor({ epsilon, delta }, (noise) => [mechanismOf({ noise, sampling }, rounds)]);
  } catch (error) {
    throw new SkeinError('PRIVACY_UNATTAINABLE', (error as Error).message, { cause: error });
  }
}
