/** Protocol B conducted: real sites and helpers inside one process, over the real messages. */
import { expect, it, vi } from 'vitest';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import type { Work } from '../../site/answers.ts';
import type { PlanDraft } from '../../plan/plan.ts';
import { startCommittee } from '../testing/committee.ts';
import { gainedBy } from '../testing/federation.ts';
import {
  patient,
  finished,
  of,
  PRIVATE,
  SLOW,
  all,
  sites,
  watched,
} from '../testing/committee-trial.ts';

it('sums sites that each send one message and leave, round after round', async () => {
  const committee = await startCommittee({ rounds: 2 });
  const { at, id } = committee;
  for (const number of [0, 1, 2]) committee.helper(number);
  const invitation = await at.coordinator.invite(id, { name: 'page', uses: 8 });
  const cohort = (numbers: readonly number[]) =>
    Promise.all(numbers.map((number) => committee.site(number, { invitation, once: true })));
  const first = await cohort([1, 2, 3, 4]);
  expect(await Promise.all(first.map(({ ended }) => ended))).toEqual(
    Array.from({ length: 4 }, () => expect.objectContaining({ status: 'left' })),
  );
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).round).toBe(1), patient);
  await cohort([1, 1, 1, 2]);
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([4, 4]);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, aborted: 0 });
  expect(at.faults).toEqual([]);
});

it('is the weighted mean to the step of the encoding', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 2 });
  all(committee);
  const { onBroadcast, gain } = watched();
  await Promise.all(
    [0.1, 0.2, 0.3, 0.4].map((number, i) =>
      committee.site(number, { weight: 100 * (i + 1), ...(i === 0 ? { onBroadcast } : {}) }),
    ),
  );
  const ledger = await finished(committee);
  // (1·.1 + 2·.2 + 3·.3 + 4·.4) / 10 = .3, in steps of 20/65535 · 10000 / 1000.
  expect(gain()).toBeCloseTo(0.3, 2);
  expect(of(ledger, 'charged')).toEqual([]);
});

it('has the noise of every helper in the sum', async () => {
  const privacy = { mode: 'client', clip: 1, noise: 20, epsilon: 100, delta: 1e-3 } as const;
  const categories = Array.from({ length: 400 }, (_, i) => `${i}`);
  const data: PlanDraft['data'] = {
    features: [{ name: 'code', kind: 'category', categories }],
    target: { name: 'disease', kind: 'category', classes: ['0', '1'] },
  };
  const committee = await startCommittee({ ...SLOW, ...PRIVATE, data, privacy, rounds: 3 });
  all(committee);
  const seen: Float32Array[] = [];
  await sites(committee, [0, 0, 0]);
  await committee.site(0, { onBroadcast: (broadcast) => seen.push(broadcast) });
  await finished(committee);
  const steps = seen.slice(1).flatMap((now, i) => [...now].map((each, at) => each - seen[i]![at]!));
  expect(steps).toHaveLength(2 * 401);
  const variance = steps.reduce((sum, each) => sum + each ** 2, 0) / steps.length;
  // Three helpers add the noise of the plan each, as two may collude; the sum is divided by four sites.
  const expected = (3 * 20 ** 2) / 4 ** 2;
  // χ² of 802 degrees: outside with a probability below 1e-5. Without the noise of one it is two thirds.
  expect(variance / expected).toBeGreaterThan(0.78);
  expect(variance / expected).toBeLessThan(1.25);
});

it('sends a part of the numbers where the plan has a part, the same at every site', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 1 }, 3, { share: 0.5 });
  all(committee);
  await sites(committee, [0.1, 0.2, 0.3, 0.4], 1000);
  await finished(committee);
  const gained = await gainedBy(committee.at, committee.id);
  expect(gained.filter((each) => each !== 0)).toHaveLength(2);
  // Twice the mean of .25 at its place, so that the mean over rounds is right.
  gained.forEach((each, i) => each === 0 || expect(each / (i + 1)).toBeCloseTo(0.5, 1));
});

it.each(['input', 'seeds', 'masks'])(
  'resumes after it was killed in phase %s, and charges no release twice',
  async (phase) => {
    const committee = await startCommittee({ ...SLOW, ...PRIVATE });
    const { at, id } = committee;
    const [blocked, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holding =
      (work: Work): Work =>
      async (task) => {
        if (task.place.phase === phase && task.place.round === 0) {
          blocked.resolve();
          await going.promise;
        }
        return work(task);
      };
    for (const number of [0, 1]) committee.helper(number);
    committee.helper(2, holding);
    await sites(committee, [1, 2, 3]);
    await committee.site(4, { change: holding });
    await blocked.promise;
    await vi.waitFor(async () => {
      const { members } = await at.coordinator.view(id);
      const answered = members.filter((each) => each.answered).length;
      expect(answered).toBe(phase === 'input' ? 3 : 2);
    }, patient);
    await at.restart();
    expect(await at.coordinator.view(id)).toMatchObject({ round: 0, attempt: 0, phase });
    going.resolve();
    const ledger = await finished(committee);
    expect(of(ledger, 'charged').map((each) => [each.round, each.attempt, each.releases])).toEqual([
      [0, 0, 1],
      [1, 0, 2],
    ]);
    expect(of(ledger, 'aborted')).toEqual([]);
    expect(of(ledger, 'finished-round')[0]!.survivors).toHaveLength(4);
    expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ rounds: 2, releases: 2 });
    expect(at.faults).toEqual([]);
  },
);
