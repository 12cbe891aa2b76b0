/**
 * The releases that a site has given, by a ledger, for an account that lacks them. Runs in Node and in the browser.
 *
 * An update that is in a sum was given. An update of an aborted attempt may have been: a ledger does not record how far
 * each site came.
 */
import { pseudonymOf } from '../identity/keys.ts';
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
  { entries }: Pick<LedgerExport, 'entries'>,
): Promise<Given | undefined> {
  const site = await pseudonymOf(key);
  let summed = 0;
  let asked = 0;
  let takesPart = false;
  for (const { event } of entries) {
    if (event.kind === 'accepted' && event.key === key) takesPart = true;
    else if (event.kind === 'opened' && event.roster.includes(site)) asked += 1;
    else if (event.kind === 'finished-round' && event.survivors.includes(site)) summed += 1;
  }
  return takesPart ? { atLeast: summed, atMost: asked } : undefined;
}
