/** How updates are encoded in the secure sum of a plan. Sites and coordinator derive it alike. */
import { noisePlan, type SumEncoding } from '@skein/train/federated';
import type { Plan } from './plan.ts';

/** Attempts of one round; a round that fails more often fails the run. */
export const MOST_ATTEMPTS = 1000;

/** @param length numbers of an update. */
export function encodingOf(plan: Plan, length: number): SumEncoding {
  const { aggregation, collusion, privacy, sites } = plan;
  if (aggregation.kind === 'none') throw new Error('A plain sum is not encoded.');
  const { bits, range, mostRows } = aggregation;
  const encoding = { length, sites: sites.maximum, bits, range };
  if (privacy.mode === 'none') return { ...encoding, weight: { most: mostRows! } };
  return noisePlan({
    encoding,
    norm: privacy.clip,
    noise: privacy.noise,
    shares: sites.threshold,
    colluding: collusion.sites,
    mostShares: sites.maximum,
  }).encoding;
}

/** The number of a secure sum within its run: no attempt has that of another. */
export function sumNumber(round: number, attempt: number): number {
  return round * MOST_ATTEMPTS + attempt;
}
