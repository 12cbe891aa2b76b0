/** A committee with keys of other helpers, with a coordinator that has no disk, or with a helper lost for good. */
import { SkeinError } from '@skein/api/errors';
import { joined } from '@skein/train/secure-aggregation';
import { expect, it, vi } from 'vitest';
import { keysOfHelper, openHelperMemory } from '../../helper/index.ts';
import { identityOf, signerOf } from '../../identity/keys.ts';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import type { PlannedHelper } from '../../plan/terms.ts';
import type { Work } from '../../site/answers.ts';
import { rosterOf } from '../rounds/roster.ts';
import { startCommittee } from '../testing/committee.ts';
import { joinScripted, sendAnswer } from '../testing/federation.ts';
import {
  all,
  finished,
  flipped,
  inPhase,
  of,
  patient,
  PRIVATE,
  sites,
  SLOW,
} from '../testing/committee-trial.ts';

it('is refused with a sealing key that a helper has not signed', async () => {
  const { at, helpers } = await startCommittee();
  const { sealing } = await keysOfHelper(openHelperMemory(':memory:'));
  const planned: PlannedHelper[] = helpers.map((each) => each.planned);
  // The trusted identity, and a key of a stranger, who opens the seeds.
  planned[0] = { ...planned[0]!, sealing };
  const aggregation = { kind: 'committee', range: 10, helpers: planned } as const;
  await expect(at.coordinator.start({ ...at.draft, aggregation })).rejects.toMatchObject({
    code: 'PLAN_INVALID',
    message: expect.stringContaining('Basel has not signed'),
  });
});

it('takes a disk that was full for no refusal of a helper, and spends nothing for it', async () => {
  const committee = await startCommittee({ ...PRIVATE, ...SLOW });
  const { at, id } = committee;
  let isFull = false;
  const put = at.artifacts.put.bind(at.artifacts);
  vi.spyOn(at.artifacts, 'put').mockImplementation(async (...parameters) => {
    if (!isFull) return put(...parameters);
    isFull = false;
    throw new SkeinError('STORAGE_FULL', 'The test has no disk.');
  });
  let wasFull = false;
  const fill = inPhase(
    'masks',
    (outcome) => {
      isFull ||= !wasFull;
      wasFull = true;
      return outcome;
    },
    () => true,
  );
  for (const number of committee.helpers.keys()) committee.helper(number, fill);
  await sites(committee, [1, 2, 3, 4]);
  const ledger = await finished(committee);
  expect(of(ledger, 'aborted')).toEqual([]);
  expect(of(ledger, 'charged')).toHaveLength(of(ledger, 'finished-round').length);
  expect(at.faults).toEqual([expect.objectContaining({ code: 'STORAGE_FULL' })]);
  expect((await at.coordinator.view(id)).round).toBe(2);
});

it('ends when a helper is revoked, because every sum needs it', async () => {
  const committee = await startCommittee();
  const { at, id, helpers } = committee;
  all(committee);
  await vi.waitFor(async () => {
    const { members } = await at.coordinator.view(id);
    expect(members.filter(({ connected }) => connected)).toHaveLength(3);
  }, patient);
  await at.coordinator.revoke(id, helpers[1]!.planned.identity);
  expect(await at.coordinator.view(id)).toMatchObject({
    status: 'failed',
    reason: 'The helper Delft was revoked.',
  });
  expect(of(await at.coordinator.ledger(id), 'ended')).toHaveLength(1);
});

it('records the sites that a helper left out, and the sites whose masks each has summed', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 1 });
  for (const number of [0, 1]) committee.helper(number);
  const accuse = inPhase(
    'seeds',
    () => ({ fields: { bad: [1] } }),
    () => true,
  );
  committee.helper(2, accuse);
  await sites(committee, [1, 2, 3, 4]);
  const ledger = await finished(committee);
  const [opened] = of(ledger, 'opened');
  const out = opened!.roster[1]!;
  expect(of(ledger, 'left-out')).toEqual([
    { kind: 'left-out', round: 0, attempt: 0, helper: 'Lyon', sites: [out] },
  ]);
  const summed = of(ledger, 'summed');
  expect(summed.map(({ helper, sites: count }) => [helper, count])).toEqual([
    ['Basel', 3],
    ['Delft', 3],
    ['Lyon', 3],
  ]);
  expect(new Set(summed.map(({ list }) => list)).size).toBe(1);
  expect(of(ledger, 'finished-round')[0]!.survivors).not.toContain(out);
  await expect(verifyLedger(ledgerText(ledger))).resolves.toMatchObject({ rounds: 1 });
});

it('names a helper that summed the masks of other sites', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 1 });
  for (const number of [0, 1]) committee.helper(number);
  const { helpers } = committee;
  const { memory } = helpers[2]!;
  const signer = signerOf(await identityOf(await memory.identity()));
  committee.helper(2, (work) => async (task) => {
    const outcome = await work(task);
    const { place } = task;
    if (place.phase !== 'masks' || place.attempt > 0) return outcome;
    const [headBytes] = outcome.fields['lengths'] as [number];
    // Behind version, phase, sender and context: the digest of the list. Signed again.
    const signed = outcome.payload!.slice(0, headBytes - 64);
    signed[4 + 32]! ^= 1;
    const head = joined([signed, await signer.sign(signed)]);
    return { ...outcome, payload: joined([head, outcome.payload!.slice(headBytes)]) };
  });
  await sites(committee, [1, 2, 3, 4]);
  const ledger = await finished(committee);
  expect(of(ledger, 'aborted')).toMatchObject([
    {
      attempt: 0,
      phase: 'masks',
      code: 'AGGREGATION_SURVIVORS_SPLIT',
      reason: expect.stringContaining('Lyon'),
    },
  ]);
});

it('leaves suspects out of a roster where there are enough others', () => {
  const session = (key: string, role: 'site' | 'helper' = 'site') => [key, { key, role }] as const;
  const plan = { sites: { minimum: 2, maximum: 9 }, aggregation: { kind: 'none' } } as never;
  const three = new Map([session('a'), session('b'), session('c')]);
  expect(rosterOf(plan, three, ['b'])).toEqual(['a', 'c']);
  const two = new Map([session('a'), session('b')]);
  expect(rosterOf(plan, two, ['b'])).toEqual(['a', 'b']);
  const one = new Map([session('a'), session('h', 'helper')]);
  expect(rosterOf(plan, one)).toBeUndefined();
});

it('begins the next attempt without a site that a helper has left out, and the next round with it', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 2 });
  const { at, id } = committee;
  await sites(committee, [1, 2, 3, 4, 5]);
  await vi.waitFor(async () => {
    const { members } = await at.coordinator.view(id);
    expect(members.filter(({ connected }) => connected)).toHaveLength(5);
  }, patient);
  for (const number of [0, 1]) committee.helper(number);
  let accused = 0;
  let spoilt = 0;
  const accuse = inPhase(
    'seeds',
    () => ({ fields: { bad: [1] } }),
    () => accused++ === 0,
  );
  const spoil = inPhase(
    'masks',
    ({ fields, payload }) => ({ fields, payload: flipped(payload!, 40) }),
    () => spoilt++ === 0,
  );
  committee.helper(2, (work) => spoil(accuse(work)));
  const ledger = await finished(committee);
  const [first, second, third] = of(ledger, 'opened').map(({ roster }) => roster);
  expect(first).toHaveLength(5);
  expect(second).toEqual(first!.toSpliced(1, 1));
  expect(third).toEqual(first);
  expect(of(ledger, 'aborted')).toMatchObject([{ attempt: 0, phase: 'masks' }]);
});

it('does so also when the coordinator was restarted in between', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 1 });
  const { at, id, helpers } = committee;
  const connected = (count: number) =>
    vi.waitFor(async () => {
      const { members } = await at.coordinator.view(id);
      expect(members.filter((member) => member.connected)).toHaveLength(count);
    }, patient);
  await sites(committee, [1, 2, 3, 4, 5]);
  await connected(5);
  const isFirst = (attempt: number): boolean => attempt === 0;
  const [asked, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  /** Waits with the masks of the first attempt until Basel is gone, so that no other attempt can begin. */
  const waiting =
    (work: Work): Work =>
    async (task) => {
      const { place } = task;
      if (place.phase !== 'masks' || !isFirst(place.attempt)) return work(task);
      asked.resolve();
      await gone.promise;
      return work(task);
    };
  const accuse = inPhase('seeds', () => ({ fields: { bad: [1] } }), isFirst);
  const spoil = inPhase(
    'masks',
    ({ fields, payload }) => ({ fields, payload: flipped(payload!, 40) }),
    isFirst,
  );
  committee.helper(2, (work) => waiting(spoil(accuse(work))));
  committee.helper(1);
  const basel = committee.helper(0, waiting);
  await asked.promise;
  const killed = basel.kill();
  await vi.waitFor(async () => {
    const { members } = await at.coordinator.view(id);
    const { identity } = helpers[0]!.planned;
    expect(members.find(({ key }) => key === identity)?.connected).toBe(false);
  }, patient);
  gone.resolve();
  await killed;
  await vi.waitFor(async () => {
    expect(of(await at.coordinator.ledger(id), 'aborted')).toHaveLength(1);
  }, patient);
  await at.restart();
  await connected(7);
  committee.helper(0);
  const ledger = await finished(committee);
  const [first, second] = of(ledger, 'opened').map(({ roster }) => roster);
  expect(second).toEqual(first!.toSpliced(1, 1));
});

it('stores no payload of a site outside the roster, and keeps its connection', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 1 });
  const { at, id } = committee;
  const stranger = await joinScripted(
    at,
    await at.coordinator.invite(id, { name: 'stranger' }),
    () => undefined,
  );
  const { planDigest } = await at.coordinator.view(id);
  const place = { round: 0, attempt: 0, phase: 'input' };
  const before = await at.artifacts.list();
  const payload = new Uint8Array(300_000);
  const sent = sendAnswer(stranger, id, planDigest, place, { fields: {}, payload });
  await vi.waitFor(() => {
    const refusals = stranger.arrivals.map(({ message }) => message);
    expect(refusals).toContainEqual(expect.objectContaining({ code: 'PHASE_CLOSED', place }));
  }, patient);
  await sent;
  expect(await at.artifacts.list()).toEqual(before);
  const { members } = await at.coordinator.view(id);
  expect(members).toEqual([expect.objectContaining({ connected: true })]);
});
