import { expect, it } from 'vitest';
import { completePlan } from '../plan/complete.ts';
import type { PlanDraft } from '../plan/plan.ts';
import { draft } from '../testing/plans.ts';
import { describeHelp, describePlan } from './describe-plan.ts';

const helpers = ['1', '2'].map((digit) => ({
  name: `helper ${digit}`,
  identity: digit.repeat(64),
  sealing: `${Number(digit) + 4}`.repeat(64),
  proof: '0'.repeat(128),
}));
const planOf = (more: Partial<PlanDraft>) =>
  completePlan(
    draft({
      strategy: { name: 'fedbuff', buffer: 3, staleness: 7 },
      aggregation: { kind: 'committee', helpers },
      privacy: { mode: 'client', noise: 9 },
      ...more,
    }),
  );

it('describes to a site and to a helper what ends a round, and how old an update may be', () => {
  const plan = planOf({});
  for (const { facts } of [describePlan(plan), describeHelp(plan)]) {
    const [, text] = facts.find(([term]) => term === 'buffer')!;
    expect(text).toContain('a round ends with 3 updates');
    expect(text).toContain('up to 7 rounds ago');
  }
  expect(describePlan(plan).leaves).toContainEqual(expect.stringContaining('How many rounds ago'));
  const other = describePlan(planOf({ strategy: { name: 'fedavg' } }));
  expect(other.facts.map(([term]) => term)).not.toContain('buffer');
});

it('warns of models that a coordinator makes up only where no noise hides a late update', () => {
  const open = planOf({
    privacy: { mode: 'none' },
    aggregation: { kind: 'committee', helpers, repeatWithOthers: true },
  });
  const warning = expect.stringContaining('made-up model');
  expect(describePlan(open).warnings).toContainEqual(warning);
  expect(describePlan(planOf({})).warnings).not.toContainEqual(warning);
});
