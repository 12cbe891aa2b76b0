/** Drafts of plans for tests. */
import { completePlan } from '../plan/complete.ts';
import type { Plan, PlanDraft } from '../plan/plan.ts';

export const draft = (more: Partial<PlanDraft> = {}): PlanDraft => ({
  name: 'heart',
  model: { digest: 'a'.repeat(64), parameters: 14 },
  data: {
    features: [
      { name: 'age', kind: 'number', low: 0, high: 100 },
      { name: 'sex', kind: 'category', categories: ['0', '1'] },
    ],
    target: { name: 'disease', kind: 'category', classes: ['0', '1'] },
  },
  task: 'binary',
  strategy: { name: 'fedsgd' },
  rounds: 3,
  privacy: { mode: 'patient', noise: 20, denominator: 500 },
  sites: { minimum: 4 },
  ...more,
});

/** A plan of two sites without any protection. */
export const openPlan = (more: Partial<PlanDraft> = {}): Plan =>
  completePlan(
    draft({
      strategy: { name: 'fedavg' },
      privacy: { mode: 'none' },
      aggregation: { kind: 'none', coordinatorSeesUpdates: true },
      sites: { minimum: 2 },
      ...more,
    }),
  );
