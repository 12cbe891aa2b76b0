/** Turns a draft into a plan: computes what follows from the rest. */
import { canonical } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { noiseFor, publicTask, type Mechanism } from '@skein/train';
import { z } from 'zod';
import { checkPlan, parsed, refuse } from './check.ts';
import { AGGREGATIONS } from './kinds/aggregations/aggregations.ts';
import {
  aggregationIn,
  isPrivate,
  type Noise,
  privacyIn,
  samplingIn,
  strategyIn,
} from './kinds/choices.ts';
import { noiseSharesOf } from './helpers.ts';
import { type Plan, PlanDraft } from './plan.ts';
import { countsIn, layoutOf, sensitivityOf } from '../statistics/layout.ts';
import { LEAST_ROWS, mostRows } from '../statistics/rules.ts';
import { axisOf } from '../statistics/axes.ts';

/** Secure aggregation keeps a majority of two thirds: t = ⌊2n/3⌋ + 1 (Bonawitz 2017, active security). */
export function thresholdOf(sites: number): number {
  return Math.min(sites, Math.floor((2 * sites) / 3) + 1);
}

/** @throws SkeinError PLAN_INVALID, naming the fields. */
export function completePlan(draft: PlanDraft): Plan {
  const whole = parsed(PlanDraft, withPrivacy(draft));
  const { privacy: given, sites, collusion, ...terms } = withCounts(whole);
  // Not in `checkPlan`, which would end the federations of plans that earlier versions took.
  for (const column of terms.data.features) {
    if (column.kind !== 'number' || column.fill === undefined) continue;
    const { name, fill, low, high } = column;
    if (fill < low || fill > high) {
      refuse(
        `the fill of "${name}" is ${fill}, which is not within its range of ${low} to ${high}.`,
      );
    }
  }
  const privacy = given!;
  const helpers = aggregationIn(terms).helpers.length;
  const buffer = strategyIn(terms).buffer?.buffer;
  const rest = {
    ...terms,
    collusion: {
      // A site can subtract its own share of the noise: the budget holds against each site alone.
      sites: privacy.mode === 'none' || helpers > 0 ? 0 : 1,
      // One honest helper is what a committee relies on.
      ...(helpers === 0 ? {} : { helpers: helpers - 1 }),
      ...collusion,
    },
    sites: {
      ...sites,
      threshold: sites.threshold ?? thresholdOf(buffer ?? sites.minimum),
    },
  };
  if (privacy.mode === 'none') {
    const encoding = { range: 1, mostRows: 10_000 };
    return checkPlan({ ...filled(rest, RATE, encoding), privacy });
  }
  const { lacks, denominator: denominatorOf, range } = privacyIn({ privacy });
  const sitesOfSum = buffer ?? sites.minimum * samplingIn(privacy.sampling).rate;
  const { clip, denominator = denominatorOf?.(sitesOfSum) } = privacy;
  if (denominator === undefined) {
    refuse(
      'privacy.denominator is missing: a public number of rows, such as a rounded count of all patients, by which sums are divided.',
    );
  }
  const rates = lacks?.severalSteps === undefined ? RATE : {};
  const counted = strategyIn(terms).counts;
  const encoding = { range: counted === undefined ? range(clip, denominator) : LEAST_ROWS };
  const plan = checkPlan({
    ...filled(rest, rates, encoding),
    privacy: { ...privacy, denominator, noise: privacy.noise ?? 1 },
  });
  const isGiven = counted === undefined || givenRange(terms.aggregation) !== undefined;
  const ranged = (whole: Plan): Plan => (isGiven ? whole : withMostRows(whole));
  if (privacy.noise !== undefined || !isPrivate(plan.privacy)) return ranged(plan);
  // The search for the noise takes seconds, so it comes after all that can be refused.
  const noise = calibrated(plan.privacy, counted?.attempts ?? plan.rounds);
  return ranged({ ...plan, privacy: { ...plan.privacy, noise } });
}

const givenRange = (aggregation: object): unknown =>
  'range' in aggregation ? aggregation.range : undefined;

/** A plan that counts, with the most rows of a site in a cell that its noise allows. */
function withMostRows(plan: Plan): Plan {
  const { aggregation, privacy } = plan;
  if (!('range' in aggregation) || !isPrivate(privacy)) return plan;
  const { fewest, colluding } = noiseSharesOf(plan);
  const share = (privacy.noise * privacy.clip) / Math.sqrt(fewest - colluding);
  return { ...plan, aggregation: { ...aggregation, range: mostRows(share, aggregation.bits) } };
}

/**
 * Checks what an operator wrote before a model is made of it; without the search for the noise, which takes seconds.
 * @throws SkeinError PLAN_INVALID, naming the fields.
 */
export function checkDraft(given: unknown, name: string): Pick<Plan, 'data' | 'sites' | 'task'> {
  const model = { digest: '0'.repeat(64), parameters: 1 };
  const terms = parsed(z.record(z.string(), z.unknown()), given);
  const draft = parsed(PlanDraft, { task: 'binary', ...draftFor({ name, model }, terms) });
  // The task follows from the target; one that the operator gives has to be the same.
  const task = terms['task'] === undefined ? publicTask(draft.data.target) : draft.task;
  const { privacy } = withPrivacy(draft);
  const fixed = privacy?.mode === 'none' ? privacy : { noise: 1, ...privacy! };
  return completePlan({ ...draft, task, privacy: fixed });
}

/**
 * A draft for a model, from which its name, its digest and its task follow.
 * @throws SkeinError PLAN_INVALID where the operator names others, which would be trained in no case.
 */
export function draftFor<T extends Partial<Pick<Plan, 'name' | 'task' | 'model'>>>(
  own: T,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> & T {
  for (const [field, value] of Object.entries(own)) {
    const other = given[field];
    if (other === undefined || canonical(other) === canonical(value)) continue;
    refuse(
      typeof value === 'string'
        ? `its ${field} is ${JSON.stringify(other)}, and follows from the model, where it is ${JSON.stringify(value)}: leave it out.`
        : `its ${field} is that which the federation trains: leave it out.`,
    );
  }
  return { ...given, ...own };
}

/** A draft without privacy protects patients where sites are institutions, and whole sites where they are devices. */
function withPrivacy(draft: PlanDraft): PlanDraft {
  // A program in JavaScript may pass anything: the schema names the flaw.
  if (Object(draft) !== draft || draft.privacy !== undefined) return draft;
  const kind = AGGREGATIONS.find(({ name }) => name === draft.aggregation?.kind);
  return { ...draft, privacy: { mode: kind?.privacy ?? 'patient' } };
}

/** Whether an operator's plan counts rows, and trains nothing. */
export const isCounting = ({ strategy }: { readonly strategy?: unknown }): boolean =>
  (Object(strategy) as { readonly name?: unknown }).name === 'statistics';

type WholeDraft = z.output<typeof PlanDraft>;

/** A draft that counts, with what follows from its tables: the length of an update, its norm, and no division. */
function withCounts(draft: WholeDraft): WholeDraft {
  const counts = countsIn(draft);
  const { data, model, privacy, sites } = draft;
  if (counts === undefined || privacy === undefined || !('clip' in privacy)) return draft;
  const axes = counts.tables.flat();
  // `checkPlan` names an axis that the columns do not have.
  if (axes.some((axis) => axisOf(axis, data) === undefined)) return draft;
  const { cells } = layoutOf(counts, { data, sites: sites as Plan['sites'] });
  const { clip, denominator = 1 } = privacy;
  return {
    ...draft,
    model: { ...model, parameters: cells },
    privacy: {
      ...privacy,
      denominator,
      clip: clip === 1 ? sensitivityOf(counts) : clip,
    },
  };
}

/** Learning rate of the sites' steps, where they take steps. */
const RATE = { learningRate: 0.1 };

/** With what a draft may leave out. */
function filled<T extends Pick<z.output<typeof PlanDraft>, 'local' | 'aggregation'>>(
  terms: T,
  local: Partial<Plan['local']>,
  encoding: { readonly range: number; readonly mostRows?: number },
) {
  const { aggregation } = terms;
  return {
    ...terms,
    local: { ...local, ...terms.local },
    aggregation:
      aggregationIn(terms).encoding === undefined ? aggregation : { ...encoding, ...aggregation },
  };
}

/**
 * The spending of a plan's releases for the accountants: sums of discrete Gaussians, whose
 * Rényi divergence alone is known. A share is never under 4 levels (see `noisePlan`), where the difference of the sum to
 * a Gaussian (τ of Kairouz 2021) is below 1e-60, so the noise of the plan is the noise of the mechanism.
 */
export function mechanismOf(
  { noise, sampling }: Pick<Noise, 'noise' | 'sampling'>,
  releases: number,
): Mechanism {
  return { kind: 'discrete', noise, sampling, steps: releases };
}

function calibrated(
  { sampling, epsilon, delta }: Pick<Noise, 'sampling' | 'epsilon' | 'delta'>,
  rounds: number,
): number {
  try {
    return noiseFor({ epsilon, delta }, (noise) => [mechanismOf({ noise, sampling }, rounds)]);
  } catch (error) {
    throw new SkeinError('PRIVACY_UNATTAINABLE', (error as Error).message, { cause: error });
  }
}
