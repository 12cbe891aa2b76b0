/**
 * Which sites share masks and secrets with which, and how many shares rebuild a secret.
 *
 * Up to 64 sites the graph is complete. Above, the sites stand on a ring in an order that their fresh
 * keys decide, and each is a neighbour of the `reach` sites before and after it (the k-regular graph
 * of Bell et al., CCS 2020, with k = 2·reach). docs/decisions/0028 derives the numbers.
 */
import { SkeinError } from '@skein/api/errors';
import type { AggregationContext } from './context.ts';

/** Sites up to which every pair shares a mask. */
const COMPLETE = 64;
/** The library for shares has no more: Shamir over GF(256). */
const MAX_SHARES = 255;
/** -log2 of the chance that a graph does not protect: 40, after 2^40 tries of a coordinator that picks the keys. */
const SECURITY = 80;
/** -log2 of the chance that a round without an attack must be started again. */
const CORRECTNESS = 30;
/** Share of sites that may drop out in such a round. */
const DROPOUT = 0.1;

/** Sites that a phase must have, of a roster of n: two such sets share an honest site, if fewer than n/3 are corrupt. */
export function quorum(sites: number): number {
  return Math.floor((2 * sites) / 3) + 1;
}

/** Sites that each phase of a sum must have. */
export function leastSites({
  roster,
  fewest = 0,
}: Pick<AggregationContext, 'roster' | 'fewest'>): number {
  return Math.max(quorum(roster.length), fewest);
}

export interface GraphTerms {
  /** Neighbours on each side; `Infinity`: all sites are neighbours. */
  readonly reach: number;
  /** Shares that rebuild a secret. */
  readonly threshold: number;
  /** Survivors that any `reach` sites in a row must have; 0 in a complete graph. */
  readonly perWindow: number;
}

/**
 * @param present sites that advertised keys.
 * @throws SkeinError AGGREGATION_INVALID where no graph within 255 shares protects so many sites.
 */
export function graphTerms(
  {
    roster,
    corrupt = 1 / 3,
    complete = false,
  }: Pick<AggregationContext, 'roster' | 'corrupt' | 'complete'>,
  present: number,
): GraphTerms {
  const corrupted = Math.floor(corrupt * roster.length);
  if (!complete && roster.length > COMPLETE) {
    for (let reach = 2; 2 * reach < Math.min(MAX_SHARES, present - 1); reach++) {
      const terms = ringTerms(present, corrupted, reach);
      if (terms !== undefined) return terms;
    }
  }
  if (present <= MAX_SHARES) {
    return { reach: Infinity, threshold: quorum(roster.length), perWindow: 0 };
  }
  throw new SkeinError(
    'AGGREGATION_INVALID',
    `No graph within ${MAX_SHARES} shares protects ${present} sites when ${corrupted} may be corrupt: choose protocol B, or a smaller share of corrupt sites.`,
  );
}

/** Terms that protect and work with this reach, if there are any. */
function ringTerms(present: number, corrupted: number, reach: number): GraphTerms | undefined {
  const places = Math.log2(present);
  const protects = (perWindow: number): boolean =>
    2 * (places + log2Tail(present, corrupted, reach, perWindow)) - 1 <= -SECURITY &&
    places + log2Tail(present - 1, corrupted, 2 * reach, 2 * perWindow - 1) <= -SECURITY;
  // More survivors protect better: the fewest that protect are found by halving.
  let [below, perWindow] = [1, reach];
  if (!protects(perWindow)) return undefined;
  while (perWindow - below > 1) {
    const middle = (below + perWindow) >> 1;
    if (protects(middle)) perWindow = middle;
    else below = middle;
  }
  const dropped = Math.ceil(DROPOUT * present);
  const stuck = places + log2Tail(present, dropped, reach, reach - perWindow + 1);
  return stuck <= -CORRECTNESS ? { reach, threshold: 2 * perWindow - 1, perWindow } : undefined;
}

/** log2 of the chance that `draws` of `all` sites, with `marked` marked ones, hold at least `least` marked ones. */
export function log2Tail(all: number, marked: number, draws: number, least: number): number {
  const most = Math.min(marked, draws);
  if (least > most) return -Infinity;
  const term = (count: number): number =>
    log2Choose(marked, count) + log2Choose(all - marked, draws - count) - log2Choose(all, draws);
  let sum = 0;
  const terms = Array.from({ length: most - least + 1 }, (_, at) => term(least + at));
  const highest = Math.max(...terms);
  for (const each of terms) sum += 2 ** (each - highest);
  return Math.min(0, highest + Math.log2(sum));
}

const LOG2_FACTORIALS = [0];

function log2Choose(all: number, chosen: number): number {
  if (chosen < 0 || chosen > all) return -Infinity;
  for (let n = LOG2_FACTORIALS.length; n <= all; n++) {
    LOG2_FACTORIALS.push(LOG2_FACTORIALS[n - 1]! + Math.log2(n));
  }
  return LOG2_FACTORIALS[all]! - LOG2_FACTORIALS[chosen]! - LOG2_FACTORIALS[all - chosen]!;
}
