/**
 * The noised counts of a federation that counts, as they are released. Runs in Node and in the browser.
 *
 * Every number has the noise of all sites that are in the sum, so that it may be published; `suppressed` leaves out what is
 * too small to be read.
 */
import { sha256 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import type { LedgerExport } from '../ledger/export.ts';
import { noiseSharesOf } from '../plan/helpers.ts';
import { isPrivate } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';
import type { Axis } from './axes.ts';
import { countsIn, layoutOf } from './layout.ts';

/** Counts with noise: they are not whole, and may be below 0. */
export interface NoisyCounts {
  /** The last axis of the table is the fastest. */
  readonly counts: readonly number[];
  /** Standard deviation of the noise of each. */
  readonly deviation: number;
}

export interface CountTable {
  readonly axes: readonly Axis[];
  /** Over all sites. */
  readonly pooled: NoisyCounts;
  /** By pseudonym, where the plan counts by site. */
  readonly sites: Readonly<Record<string, NoisyCounts>>;
}

export interface Statistics {
  /** Digest of the plan. */
  readonly plan: string;
  /** Digest of the model that gives the scores. */
  readonly model: string;
  /** sha-256 of the sum as float32, little-endian: `after` of the round in the ledger. */
  readonly digest: string;
  /** Pseudonyms of the sites whose rows are counted. */
  readonly sites: readonly string[];
  readonly tables: readonly CountTable[];
}

/** The round of a sum, from the ledger. */
export interface CountedRound {
  readonly roster: readonly string[];
  readonly survivors: readonly string[];
  readonly digest: string;
}

/** @returns undefined: no sum was released. */
export function countedRoundOf(entries: LedgerExport['entries']): CountedRound | undefined {
  const events = entries.map(({ event }) => event);
  const done = events.findLast((event) => event.kind === 'finished-round');
  if (done === undefined) return undefined;
  const opened = events.findLast(
    (event) =>
      event.kind === 'opened' && event.round === done.round && event.attempt === done.attempt,
  );
  if (opened?.kind !== 'opened') return undefined;
  return { roster: opened.roster, survivors: done.survivors, digest: done.after };
}

/**
 * @param sum the counts of all blocks, float32.
 * @throws SkeinError PLAN_INVALID for a plan that trains, LEDGER_INVALID for a sum that is not the one of the round.
 */
export async function statisticsOf(
  plan: Plan,
  planDigest: string,
  { roster, survivors, digest }: CountedRound,
  sum: Uint8Array<ArrayBuffer>,
): Promise<Statistics> {
  const terms = countsIn(plan);
  if (terms === undefined) {
    throw new SkeinError('PLAN_INVALID', 'The plan trains a model, and counts nothing.');
  }
  if ((await sha256(sum)) !== digest) {
    throw new SkeinError('LEDGER_INVALID', 'The counts do not have the digest in the ledger.');
  }
  const layout = layoutOf(terms, plan);
  const numbers = new Float32Array(sum.slice().buffer);
  const deviation = deviationOf(plan, survivors.length);
  const blocks = survivors.map((site) => (terms.bySite ? roster.indexOf(site) : 0));
  const tables = layout.tables.map(({ axes, offset, cells }): CountTable => {
    const countsOf = (block: number): NoisyCounts => {
      const from = block * layout.block + offset;
      return { counts: [...numbers.subarray(from, from + cells)], deviation };
    };
    if (!terms.bySite) return { axes, pooled: countsOf(0), sites: {} };
    const all = blocks.map(countsOf);
    const sites = Object.fromEntries(survivors.map((site, i) => [site, all[i]!]));
    return { axes, pooled: added(all), sites };
  });
  return { plan: planDigest, model: plan.model.digest, digest, sites: survivors, tables };
}

/** The sum of counts with independent noise. */
export function added(all: readonly NoisyCounts[]): NoisyCounts {
  const [first] = all;
  const counts = first!.counts.map((_, i) => all.reduce((sum, each) => sum + each.counts[i]!, 0));
  const variance = all.reduce((sum, each) => sum + each.deviation ** 2, 0);
  return { counts, deviation: Math.sqrt(variance) };
}

/** Standard deviation of a cell: each survivor, or each helper, adds a share that is sized for the fewest of them. */
export function deviationOf(plan: Plan, survivors: number): number {
  const { privacy } = plan;
  if (!isPrivate(privacy)) return 0;
  const { of, fewest, colluding } = noiseSharesOf(plan);
  const shares = of === 'sites' ? survivors : fewest;
  return privacy.noise * privacy.clip * Math.sqrt(shares / (fewest - colluding));
}

/** Counts that are smaller are not shown. */
export const LEAST_SHOWN = 10;

/** The count as it may be read; null: it is too small. */
export const suppressed = (count: number): number | null =>
  count < LEAST_SHOWN ? null : Math.round(count);
