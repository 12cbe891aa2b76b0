import { levelWidth, residueBits } from '@skein/train/federated';
import { varianceGain } from '@skein/train';
import { expect, it } from 'vitest';
import { completePlan } from '../plan/complete.ts';
import { encodingOf } from '../plan/encoding.ts';
import type { PlanDraft } from '../plan/plan.ts';
import { draft } from '../testing/plans.ts';
import { helperNoise } from './helper-noise.ts';

const helper = (number: number) => ({
  name: `helper ${number}`,
  identity: `${number}`.repeat(64),
  sealing: `${number + 4}`.repeat(64),
  proof: '0'.repeat(128),
});
const LENGTH = 4000;
const sampling = { kind: 'bands', rounds: 8 } as const;
const turns = (more: Partial<PlanDraft> = {}) =>
  completePlan(
    draft({
      model: { digest: 'a'.repeat(64), parameters: LENGTH },
      aggregation: { kind: 'committee', helpers: [helper(1), helper(2)] },
      privacy: { mode: 'client', noise: 5, epsilon: 100, sampling },
      sites: { minimum: 16 },
      ...more,
    }),
  );

const plan = turns();
const encoding = encodingOf(plan, LENGTH);
const secret = new Uint8Array(32).fill(7);
const given = { run: 'f-1', plan, planDigest: 'd'.repeat(64), encoding, secret };
const levelsOf = (residues: Uint32Array) => {
  const modulus = 2 ** residueBits(encoding);
  return Array.from(residues, (each) => (each < modulus / 2 ? each : each - modulus));
};

it('is the same for a round after a restart, and another for each round, run and helper', () => {
  const first = helperNoise(given);
  const [zero, third] = [first(0), first(3)];
  expect(helperNoise(given)(3)).toEqual(third);
  expect(first(0)).toEqual(zero);
  for (const other of [
    { ...given, run: 'f-2' },
    { ...given, secret: new Uint8Array(32).fill(8) },
    { ...given, planDigest: 'e'.repeat(64) },
  ]) {
    expect(helperNoise(other)(3)).not.toEqual(third);
  }
  expect(zero).not.toEqual(third);
});

it('has the variance of the plan, and takes back a part of the noise before', () => {
  const noise = helperNoise(given);
  const rounds = Array.from({ length: 9 }, (_, round) => levelsOf(noise(round)));
  const width = levelWidth(encoding);
  const inUnits = rounds.at(-1)!.reduce((sum, each) => sum + (each * width) ** 2, 0) / LENGTH;
  expect(inUnits / (5 ** 2 * varianceGain(8))).toBeGreaterThan(0.9);
  expect(inUnits / (5 ** 2 * varianceGain(8))).toBeLessThan(1.2);
  const [before, after] = [rounds[0]!, rounds[1]!];
  const product = before.reduce((sum, each, i) => sum + each * after[i]!, 0);
  expect(product).toBeLessThan(0);
});

it.each<[string, Partial<PlanDraft>]>([
  ['privacy.sampling bands needs aggregation committee', { aggregation: { kind: 'pairwise' } }],
  ['needs collusion.helpers of all but one', { collusion: { helpers: 0 } }],
  [
    'aggregation.share draws other numbers',
    { aggregation: { kind: 'committee', helpers: [helper(1), helper(2)], share: 0.5 } },
  ],
])('is refused in a plan: %s', (reason, more) => {
  expect(() => turns(more)).toThrow(reason);
});
