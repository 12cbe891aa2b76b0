/** Federations that a coordinator refuses to start. */
import { expect, it } from 'vitest';
import type { PlanDraft } from '../plan/plan.ts';
import { startFederation } from './testing/federation.ts';

const secure = (more: Partial<PlanDraft>): Partial<PlanDraft> => ({
  privacy: { mode: 'patient', noise: 20, denominator: 500 },
  strategy: { name: 'fedsgd' },
  aggregation: { kind: 'pairwise' },
  sites: { minimum: 4, maximum: 4 },
  ...more,
});

it.each<[string, string, Partial<PlanDraft>]>([
  [
    'noise that is less than the levels of its sum',
    'levels is under 4',
    {
      privacy: { mode: 'patient', noise: 1, denominator: 500 },
      aggregation: { kind: 'pairwise', bits: 8 },
    },
  ],
  [
    'more noise than a site can draw',
    'levels is above 2^24',
    { privacy: { mode: 'patient', noise: 1e7, denominator: 500 } },
  ],
  [
    'more noise than the residues of a sum can hold',
    'this noise take more than 32 bits',
    {
      privacy: { mode: 'patient', noise: 3e6, denominator: 500 },
      sites: { minimum: 250, maximum: 255 },
    },
  ],
])('refuses %s', async (_, reason, more) => {
  const at = await startFederation(secure(more));
  await expect(at.coordinator.start(at.draft)).rejects.toMatchObject({
    code: 'PLAN_INVALID',
    message: expect.stringContaining(reason),
  });
  expect(await at.coordinator.list()).toEqual([]);
});

it('refuses a model of another size than in the plan, and a missing one', async () => {
  const at = await startFederation(secure({}));
  const model = { ...at.draft.model, parameters: 5 };
  await expect(at.coordinator.start({ ...at.draft, model })).rejects.toMatchObject({
    code: 'PLAN_INVALID',
    message: expect.stringContaining('the model has 4 trained numbers, not 5'),
  });
  const missing = { ...at.draft.model, digest: 'f'.repeat(64) };
  await expect(at.coordinator.start({ ...at.draft, model: missing })).rejects.toMatchObject({
    code: 'ARTIFACT_UNKNOWN',
  });
  expect((await at.coordinator.start(at.draft)).status).toBe('running');
});
