/** The kinds of a plan with the consequences of their options. Runs in Node and in the browser. */
import type { Plan, PlanDraft } from '../plan.ts';
import { AGGREGATIONS } from './aggregations/aggregations.ts';
import type { AggregationFacts, AggregationKind } from './aggregations/aggregation-kind.ts';
import type { Around, Chosen, Reasons } from './kind.ts';
import { PRIVACIES, type PrivacyFacts, type PrivacyKind } from './privacies.ts';
import { chosenOf } from './registry.ts';
import { type SamplingFacts, type SamplingKind, SAMPLINGS } from './samplings.ts';
import { STRATEGIES } from './strategies/strategies.ts';
import type { StrategyFacts, StrategyKind } from './strategies/strategy-kind.ts';

/** A plan, or a draft whose defaults are filled in. */
type Has<Axis extends 'strategy' | 'aggregation' | 'privacy'> = {
  readonly [A in Axis]: Plan[A] | NonNullable<PlanDraft[A]>;
};

export const strategyIn = ({ strategy }: Has<'strategy'>) =>
  chosenOf<StrategyFacts, StrategyKind>(STRATEGIES, strategy.name, strategy);

export const aggregationIn = ({ aggregation }: Has<'aggregation'>) =>
  chosenOf<AggregationFacts, AggregationKind>(AGGREGATIONS, aggregation.kind, aggregation);

export const privacyIn = ({ privacy }: Has<'privacy'>) =>
  chosenOf<PrivacyFacts, PrivacyKind>(PRIVACIES, privacy.mode, privacy);

export const samplingIn = (sampling: Noise['sampling']) =>
  chosenOf<SamplingFacts, SamplingKind>(SAMPLINGS, sampling.kind, sampling);

/** The terms of a plan with differential privacy. */
export type Noise = Extract<Plan['privacy'], { readonly noise: number }>;

export const isPrivate = (privacy: Plan['privacy']): privacy is Noise => 'noise' in privacy;

/** One choice of a plan, and the kinds among which it was made. */
export interface Choice {
  /** Its name in error messages. */
  readonly axis: string;
  readonly kinds: readonly {
    readonly name: string;
    readonly needs?: Reasons;
    readonly lacks?: Reasons;
  }[];
  readonly chosen: Chosen & {
    readonly name: string;
    readonly needs?: Reasons;
    readonly lacks?: Reasons;
  };
}

export function choicesOf(plan: Plan): readonly Choice[] {
  const { privacy } = plan;
  return [
    { axis: 'aggregation', kinds: AGGREGATIONS, chosen: aggregationIn(plan) },
    ...(isPrivate(privacy)
      ? [{ axis: 'privacy.sampling', kinds: SAMPLINGS, chosen: samplingIn(privacy.sampling) }]
      : []),
    { axis: 'privacy', kinds: PRIVACIES, chosen: privacyIn(plan) },
    { axis: 'strategy', kinds: STRATEGIES, chosen: strategyIn(plan) },
  ];
}

export function aroundOf(plan: Plan): Around {
  const { sites, collusion, local, data, model, privacy } = plan;
  return {
    sites,
    collusion,
    local,
    data,
    parameters: model.parameters,
    isPrivate: isPrivate(privacy),
    helpers: aggregationIn(plan).helpers.length,
  };
}
