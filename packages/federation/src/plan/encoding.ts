/** How updates are encoded in the secure sum of a plan. Sites and coordinator derive it alike. */
import { fromHex } from '@skein/api/canonical';
import { noisePlan, rangeOfCounts, type SumEncoding } from '@skein/train/federated';
import { mostUpdates } from './buffer.ts';
import { noiseSharesOf } from './helpers.ts';
import { aggregationIn, isPrivate, strategyIn } from './kinds/choices.ts';
import type { Plan } from './plan.ts';

/** Attempts of one round; a round that fails more often fails the run. */
export const MOST_ATTEMPTS = 1000;

/** @param length numbers of an update. */
export function encodingOf(plan: Plan, length: number): SumEncoding {
  const { privacy } = plan;
  const { encoding: terms, isChecked } = aggregationIn(plan);
  if (terms === undefined) throw new Error('A plain sum is not encoded.');
  const { bits, range, mostRows, share } = terms;
  const sample = share === undefined ? {} : { sample: { share } };
  // The coordinator cannot check an answer of a site or a helper: a lie shows in the sum alone.
  const checked = isChecked ? { isChecked } : {};
  const areCounts = strategyIn(plan).counts !== undefined;
  const sum = { length, sites: mostUpdates(plan), bits, ...sample, ...checked };
  const encoding = { ...sum, range: areCounts ? rangeOfCounts(range, bits) : range };
  if (!isPrivate(privacy)) return { ...encoding, weight: { most: mostRows! } };
  const { fewest, most, colluding } = noiseSharesOf(plan);
  const { clip: norm, noise } = privacy;
  const shares = { shares: fewest, colluding, mostShares: most };
  return noisePlan({ encoding, norm, noise, ...shares, areCounts }).encoding;
}

/** Which numbers an attempt sends, where the plan sends a part of them: no site and no coordinator chooses. */
export function drawOf(
  planDigest: string,
  { round, attempt }: { readonly round: number; readonly attempt: number },
): { readonly seed: Uint8Array; readonly round: number } {
  return { seed: fromHex(planDigest), round: sumNumber(round, attempt) };
}

/** The number of a secure sum within its run. No two attempts share one. */
export function sumNumber(round: number, attempt: number): number {
  return round * MOST_ATTEMPTS + attempt;
}
