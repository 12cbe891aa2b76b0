/**
 * Plans whose rounds end when a buffer is full (FedBuff), so that no round waits for a slow site. A site that still trains
 * when its round ends is not lost: its update is masked for the round that is open when it is ready, and counts less.
 * docs/decisions/0036 says what a sum of such updates is bound to. Runs in Node and in the browser.
 */
import { fromHex, sha256 } from '@skein/api/canonical';
import { joined } from '@skein/train/secure-aggregation';
import type { Plan } from './plan.ts';

type HasStrategy = Pick<Plan, 'strategy'>;

export type BufferTerms = Omit<Extract<Plan['strategy'], { name: 'fedbuff' }>, 'name'>;

/** undefined: a round is of all sites of its roster. */
export function bufferOf({ strategy }: HasStrategy): BufferTerms | undefined {
  return strategy.name === 'fedbuff' ? strategy : undefined;
}

/** The most updates of one sum. */
export function mostUpdates(plan: Pick<Plan, 'strategy' | 'sites'>): number {
  return bufferOf(plan)?.buffer ?? plan.sites.maximum;
}

/** How many rounds the updates of a round may be behind; early rounds have none before them. */
export function mostBehind(plan: HasStrategy, round: number): number {
  return Math.min(bufferOf(plan)?.staleness ?? 0, round);
}

/**
 * What a secure sum is bound to of what its sites train from.
 * @param versions digests of what each round began with that its updates may be of, the newest last.
 * @returns the digest itself of one, of several sha-256 of all.
 */
export async function baseOf(versions: readonly string[]): Promise<string> {
  return versions.length === 1 ? versions[0]! : sha256(joined(versions.map(fromHex)));
}
