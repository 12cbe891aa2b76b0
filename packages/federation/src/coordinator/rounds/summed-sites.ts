/**
 * The sums in which each site has been, for SCAFFOLD: a site continues from its last update only if that is in a sum, and
 * the control variate of the server is the mean over all sites that have been in one.
 */
import type { FederationWeight, Strategy } from '@skein/train/federated';
import { isPrivate, privacyIn, samplingIn } from '../../plan/kinds/choices.ts';
import type { Plan } from '../../plan/plan.ts';
import type { RunRecord, SummedSites } from '../../store/federation-store.ts';
import type { RoundSum, Task } from '../aggregation/aggregator.ts';
import { aggregationOf } from '../aggregation/aggregations.ts';

type Record = Pick<RunRecord, 'plan' | 'state'>;
type Sum = Pick<RoundSum, 'weight' | 'survivors'>;

/**
 * The sites after a sum, and what `Strategy.apply` asks for. Nothing where sites keep no memory.
 *
 * A sum gives the weight of its sites together. The weight of all sites is exact when they are all in one sum, or when the number
 * of new sites is all that counts; otherwise new sites are taken to weigh as much as the others.
 */
export function afterSum(
  { plan, state: { round, summed } }: Record,
  strategy: Pick<Strategy, 'site'>,
  sum: Sum,
): { readonly summed?: SummedSites; readonly of?: FederationWeight } {
  if (strategy.site.vectors === 1) return {};
  const { weight, survivors } = sum;
  const known = Object.keys(summed?.rounds ?? {});
  const isHere = new Set(survivors);
  const strangers = survivors.filter((site) => summed?.rounds[site] === undefined).length;
  const after =
    summed === undefined || known.every((site) => isHere.has(site))
      ? weight
      : summed.weight + (weight * strangers) / survivors.length;
  const now = Object.fromEntries(survivors.map((site) => [site, round]));
  return {
    summed: { rounds: { ...summed?.rounds, ...now }, weight: after },
    of: { part: partOf(plan, weight), before: summed?.weight ?? after, after },
  };
}

/** Σ weight of the sites of a sum that have added to it. Which of them tossed a coin for it is not known: their expected number. */
function partOf({ privacy }: Plan, weight: number): number {
  const isOfSites = isPrivate(privacy) && privacyIn({ privacy }).hides === 'site';
  return isOfSites ? weight * samplingIn(privacy.sampling).rate : weight;
}

/** The task with the last round whose sum holds an update of the site, where it trains and keeps a memory; −1: none. */
export function withSummed({ plan, state }: Record, task: Task, site: string): Task {
  const { summed, phase } = state;
  if (summed === undefined || !aggregationOf(plan).training.includes(phase)) return task;
  return { ...task, fields: { ...task.fields, summed: summed.rounds[site] ?? -1 } };
}
