/** Federations whose sites take turns, with noise of helpers that is correlated over rounds (DP-FTRL). */
import { expect, it, vi } from 'vitest';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import { bandedPrefix } from '../testing/banded-prefix.ts';
import { startCommittee } from '../testing/committee.ts';
import {
  all,
  finished,
  loseInMasks,
  of,
  patient,
  sites,
  SLOW,
} from '../testing/committee-trial.ts';
import { gainedBy } from '../testing/federation.ts';

const [BANDS, ROUNDS, NOISE] = [4, 12, 20];
const categories = Array.from({ length: 400 }, (_, i) => `${i}`);
const TURNS: Partial<PlanDraft> = {
  data: {
    features: [{ name: 'code', kind: 'category', categories }],
    target: { name: 'disease', kind: 'category', classes: ['0', '1'] },
  },
  strategy: { name: 'fedsgd' },
  privacy: {
    mode: 'client',
    noise: NOISE,
    epsilon: 100,
    sampling: { kind: 'bands', rounds: BANDS },
  },
  rounds: ROUNDS,
};

it('takes back in later rounds what the noise of helpers has added', async () => {
  const committee = await startCommittee({ ...SLOW, ...TURNS }, 2);
  all(committee);
  await sites(committee, [0, 0, 0, 0]);
  const ledger = await finished(committee);
  expect(of(ledger, 'aborted')).toEqual([]);
  const gained = await gainedBy(committee.at, committee.id);
  const variance = gained.reduce((sum, each) => sum + each ** 2, 0) / gained.length;
  // Four sites, each in one of four rounds, so that sums are divided by one; two helpers add the noise.
  const expected = 2 * NOISE ** 2 * bandedPrefix(BANDS, ROUNDS);
  const independent = 2 * NOISE ** 2 * ROUNDS;
  expect(expected).toBeLessThan(0.45 * independent);
  // χ² of 401 degrees: outside with a probability below 1e-5.
  expect(variance / expected).toBeGreaterThan(0.7);
  expect(variance / expected).toBeLessThan(1.35);
  const spent = of(ledger, 'charged').map((each) => each.spent[1]!.epsilon!);
  // A site is in one of four rounds: what four rounds spend together is spent in the first of them.
  expect(spent[3]).toBe(spent[0]);
  expect(spent[4]).toBeGreaterThan(spent[3]!);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ releases: ROUNDS });
});

it('is done with a round whose noise was asked for, also when the sum of it was lost', async () => {
  const committee = await startCommittee({
    ...TURNS,
    rounds: 3,
    deadlines: { phaseMs: 3000, trainMs: 60_000 },
  });
  const { at, id } = committee;
  await loseInMasks(committee);
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).round).toBeGreaterThan(0),
    patient,
  );
  committee.helper(2);
  const ledger = await finished(committee);
  const lost = of(ledger, 'aborted').filter(({ phase }) => phase === 'masks');
  expect(lost[0]).toMatchObject({ round: 0, attempt: 0, code: 'AGGREGATION_HELPER_LOST' });
  // Each round is charged once, and has a sum or was lost.
  expect(of(ledger, 'charged').map(({ round, releases }) => [round, releases])).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
  const done = of(ledger, 'finished-round').map(({ round }) => round);
  expect([...lost.map(({ round }) => round), ...done].toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ releases: 3 });
  expect(at.faults).toEqual([]);
});
