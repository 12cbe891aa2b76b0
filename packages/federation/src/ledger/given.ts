/**
 * What a ledger says that a site has given, for an account that has forgotten it. Runs in Node and in the browser.
 *
 * An update that is in a sum was given. One of an attempt that was aborted may have been: a ledger does not say how far
 * each site came.
 */
import { pseudonymOf } from '../identity/keys.ts';
import { turnsOf } from '../plan/turns.ts';
import type { LedgerExport } from './export.ts';

/** Releases, as an account counts them. */
export interface Given {
  readonly atLeast: number;
  readonly atMost: number;
}

/**
 * @param key of the site, in hex.
 * @returns undefined: the site takes no part.
 */
export async function givenBy(
  key: string,
  { plan, entries }: Pick<LedgerExport, 'plan' | 'entries'>,
): Promise<Given | undefined> {
  const site = await pseudonymOf(key);
  const summed: number[] = [];
  const asked: number[] = [];
  let takesPart = false;
  for (const { event } of entries) {
    if (event.kind === 'accepted' && event.key === key) takesPart = true;
    else if (event.kind === 'opened' && event.roster.includes(site)) asked.push(event.round);
    else if (event.kind === 'finished-round' && event.survivors.includes(site)) {
      summed.push(event.round);
    }
  }
  // Of noise that is correlated over rounds, a round spends what those before it have, given or not.
  const count = (rounds: readonly number[]): number =>
    turnsOf(plan) === undefined ? rounds.length : Math.max(-1, ...rounds) + 1;
  return takesPart ? { atLeast: count(summed), atMost: count(asked) } : undefined;
}
