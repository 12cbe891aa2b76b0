import { strategyOf } from '@skein/train/federated';
import { expect, it } from 'vitest';
import { completePlan } from '../../plan/complete.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import type { RunState, SummedSites } from '../../store/federation-store.ts';
import { draft, openPlan } from '../../testing/plans.ts';
import { afterSum, withSummed } from './summed-sites.ts';

const SCAFFOLD: Partial<PlanDraft> = { strategy: { name: 'scaffold' }, local: { learningRate: 1 } };
const strategy = strategyOf('scaffold', { distance: 1 });
const stateOf = (more: Partial<RunState>): RunState => ({
  status: 'running',
  round: 0,
  attempt: 0,
  phase: 'train',
  roster: [],
  optimiser: 'o',
  releases: 0,
  ...more,
});

it('has the weight of all sites whenever they are all in a sum, and counts new ones like the others until then', () => {
  const plan = openPlan(SCAFFOLD);
  let summed: SummedSites | undefined;
  const rounds: readonly (readonly [
    survivors: string,
    weight: number,
    before: number,
    after: number,
  ])[] = [
    // No earlier weight is needed: the control variate is zero.
    ['ab', 30, 30, 30],
    ['a', 10, 30, 30],
    // b is away and c is new: half of the weight of a and c is taken to be of c, which weighs 50.
    ['ac', 60, 30, 60],
    ['abc', 80, 60, 80],
    ['abcd', 85, 80, 85],
  ];
  for (const [round, [survivors, weight, before, after]] of rounds.entries()) {
    const found = afterSum({ plan, state: stateOf({ round, summed }) }, strategy, {
      weight,
      survivors: survivors.split(''),
    });
    expect(found.of, `round ${round}`).toEqual({ part: weight, before, after });
    summed = found.summed;
  }
  expect(summed!.rounds).toEqual({ a: 4, b: 4, c: 4, d: 4 });
  expect(
    afterSum({ plan, state: stateOf({}) }, strategyOf('fedavg'), { weight: 1, survivors: ['a'] }),
  ).toEqual({});
});

it('expects of a sum by chance as many sites as the plan', () => {
  const keys = Array.from({ length: 8 }, (_, i) => i.toString(16).padEnd(64, '0'));
  const partOf = (more: Partial<PlanDraft>) => {
    const plan = completePlan(draft({ ...SCAFFOLD, ...more }));
    const sum = { weight: keys.length, survivors: keys };
    return afterSum({ plan, state: stateOf({}) }, strategy, sum).of!.part;
  };
  const privacy = { mode: 'client', noise: 5 } as const;
  expect(partOf({ privacy })).toBe(8);
  expect(partOf({ privacy: { ...privacy, sampling: { kind: 'poisson', rate: 0.25 } } })).toBe(2);
});

it('names in a task the last round in which its site was in a sum, and no round for a strategy without a memory', () => {
  const plan = openPlan(SCAFFOLD);
  const task = { fields: { delivery: 4 } };
  const summed = { rounds: { a: 1 }, weight: 1 };
  const toldTo = (site: string, more: Partial<RunState>) =>
    withSummed({ plan, state: stateOf({ round: 3, ...more }) }, task, site).fields;
  expect(toldTo('a', { summed })).toEqual({ delivery: 4, summed: 1 });
  expect(toldTo('b', { summed })).toEqual({ delivery: 4, summed: -1 });
  expect(toldTo('a', {})).toEqual({ delivery: 4 });
  expect(toldTo('a', { summed, phase: 'keys' })).toEqual({ delivery: 4 });
});
