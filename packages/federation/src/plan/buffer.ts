/**
 * Plans whose rounds end when a buffer is full (FedBuff), so that no round waits for a slow site. A site that still trains
 * when its round ends is not lost: its update is masked for the round that is open when it is ready, and counts less.
 * docs/decisions/0036 names the bases of a sum of such updates. Runs in Node and in the browser.
 */
import { fromHex, sha256 } from '@skein/api/canonical';
import { joined } from '@skein/train/secure-aggregation';
import { strategyIn } from './kinds/choices.ts';
import type { Plan } from './plan.ts';

/** The most updates of one sum. */
export function mostUpdates(plan: Pick<Plan, 'strategy' | 'sites'>): number {
  return strategyIn(plan).buffer?.buffer ?? plan.sites.maximum;
}

/** How many rounds the updates of a round may be behind; early rounds have none before them. */
export function mostBehind(plan: Pick<Plan, 'strategy'>, round: number): number {
  return Math.min(strategyIn(plan).buffer?.staleness ?? 0, round);
}

/**
 * The digest of the parameters from which the sites of a secure sum train.
 * @param versions digests of what each round began with that its updates may be of, the newest last.
 * @returns the digest itself of one, of several sha-256 of all.
 */
export async function baseOf(versions: readonly string[]): Promise<string> {
  return versions.length === 1 ? versions[0]! : sha256(joined(versions.map(fromHex)));
}
