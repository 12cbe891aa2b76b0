/** Every combination of kinds is a plan that works, or is refused with two options and a fix. */
import { expect, it } from 'vitest';
import type { z } from 'zod';
import { describePlan } from '../../site/describe-plan.ts';
import { draft } from '../../testing/plans.ts';
import { completePlan } from '../complete.ts';
import { encodingOf } from '../encoding.ts';
import type { PlanDraft } from '../plan.ts';
import { strategyOfPlan } from '../strategy.ts';
import { AGGREGATIONS } from './aggregations/aggregations.ts';
import { aggregationIn } from './choices.ts';
import { PRIVACIES } from './privacies.ts';
import { SAMPLINGS } from './samplings.ts';
import { STRATEGIES } from './strategies/strategies.ts';

const helper = (digit: string) => ({
  name: `helper ${digit}`,
  identity: digit.repeat(64),
  sealing: `${Number(digit) + 4}`.repeat(64),
  proof: '0'.repeat(128),
});
/** Values of terms that have no default. */
const REQUIRED: Readonly<Record<string, unknown>> = {
  helpers: [helper('1'), helper('2')],
  coordinatorSeesUpdates: true,
  denominator: 500,
  noise: 9,
  rate: 0.5,
  tables: [[{ kind: 'label' }]],
};
type Kinds = readonly {
  readonly name: string;
  readonly terms: { readonly shape: Readonly<Record<string, z.ZodType>> };
}[];
/** A kind with the fewest options: the values above, or 3. */
const fewest = (kinds: Kinds, key: string) =>
  kinds.map(({ name, terms: { shape } }) => {
    const needed = Object.entries(shape).filter(
      ([field, type]) => field !== key && !type.safeParse(undefined).success,
    );
    const values = needed.map(([field]) => [field, REQUIRED[field] ?? 3]);
    return { [key]: name, ...Object.fromEntries(values) };
  });

const samplings = fewest(SAMPLINGS, 'kind');
const privacies = fewest(PRIVACIES, 'mode').flatMap((privacy) =>
  'noise' in privacy ? samplings.map((sampling) => ({ ...privacy, sampling })) : [privacy],
);
const plans = fewest(STRATEGIES, 'name').flatMap((strategy) =>
  fewest(AGGREGATIONS, 'kind').flatMap((aggregation) =>
    privacies.map((privacy) => ({ strategy, aggregation, privacy })),
  ),
) as unknown as Pick<PlanDraft, 'strategy' | 'aggregation' | 'privacy'>[];

/** "strategy fedbuff sums …, and aggregation none takes …: take …". */
const PAIR = /: [\w.]+ \w+ [^,].*, and [\w.]+ \w+ .+: (?:take|set|leave out) .+, or take .+\.$/;

function outcomeOf(more: Partial<PlanDraft>): 'works' | 'refused' {
  let plan;
  try {
    // Strategy statistics has one round, and divides by nothing.
    const isCounting = more.strategy?.name === 'statistics';
    const privacy = { ...more.privacy, ...(isCounting ? { denominator: 1 } : {}) };
    const once = isCounting && 'noise' in privacy ? { rounds: 1, privacy } : {};
    plan = completePlan(draft({ ...more, ...once }));
  } catch (error) {
    expect(error).toMatchObject({
      code: 'PLAN_INVALID',
      message: expect.stringMatching(PAIR),
    });
    return 'refused';
  }
  const strategy = strategyOfPlan(plan);
  const state = strategy.initial(new Float32Array(plan.model.parameters));
  const sum = new Float32Array(strategy.site.sent * plan.model.parameters).fill(1);
  expect(strategy.apply(state, sum, 4).parameters).not.toEqual(state.parameters);
  if (aggregationIn(plan).encoding !== undefined) {
    expect(encodingOf(plan, sum.length).bits).toBe(16);
  }
  for (const words of Object.values(describePlan(plan))) expect(words).not.toContain(undefined);
  expect(completePlan(plan)).toEqual(plan);
  return 'works';
}

it('works or is refused with both options and a fix, in every combination of kinds', () => {
  const outcomes = plans.map(outcomeOf);
  expect(new Set(outcomes)).toEqual(new Set(['works', 'refused']));
});

it.each(STRATEGIES.map(({ name }) => name))(
  'has a plan that works with the strategy %s',
  (name) => {
    const own = plans.filter(({ strategy }) => strategy.name === name);
    expect(own.map(outcomeOf)).toContain('works');
  },
);
