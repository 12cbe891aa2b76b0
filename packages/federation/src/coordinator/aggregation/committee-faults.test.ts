/** Protocol B with helpers and sites that die, lie, leave or replay. */
import { residueBits } from '@skein/train/federated';
import { Helper, joined } from '@skein/train/secure-aggregation';
import { describe, expect, it, vi } from 'vitest';
import { helperWork, openHelperMemory } from '../../helper/index.ts';
import type { Joined } from '../../identity/handshake.ts';
import { identityOf, signerOf } from '../../identity/keys.ts';
import { fromHex } from '@skein/api/canonical';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import { committeeContext, splitRoster } from '../../plan/committee-terms.ts';
import { encodingOf } from '../../plan/encoding.ts';
import type { Outcome } from '../../site/answers.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { startCommittee } from '../testing/committee.ts';
import { leapingClock } from '../testing/leaping-clock.ts';
import {
  patient,
  finished,
  loseInMasks,
  of,
  PRIVATE,
  SLOW,
  all,
  sites,
  inPhase,
  watched,
  flipped,
} from '../testing/committee-trial.ts';

describe('a helper that is dead', () => {
  it('begins no round, and ends an attempt that spends nothing before the masks', async () => {
    const committee = await startCommittee({
      ...PRIVATE,
      rounds: 1,
      deadlines: { phaseMs: 3000, trainMs: 60_000 },
    });
    const { at, id } = committee;
    const dying = Promise.withResolvers<void>();
    for (const number of [0, 1]) committee.helper(number);
    await sites(committee, [1, 2, 3, 4]);
    await vi.waitFor(async () => {
      const { members } = await at.coordinator.view(id);
      expect(members.filter(({ connected }) => connected)).toHaveLength(6);
    }, patient);
    expect(await at.coordinator.view(id)).toMatchObject({ phase: 'gather', attempt: 0 });
    const dead = committee.helper(2, (work) => async (task) => {
      if (task.place.attempt > 0) return work(task);
      dying.resolve();
      return new Promise(() => {});
    });
    await dying.promise;
    await dead.kill();
    await vi.waitFor(
      async () =>
        expect(await at.coordinator.view(id)).toMatchObject({ phase: 'gather', attempt: 1 }),
      patient,
    );
    committee.helper(2);
    const ledger = await finished(committee);
    expect(of(ledger, 'aborted')[0]).toMatchObject({
      attempt: 0,
      phase: 'seeds',
      code: 'AGGREGATION_HELPER_LOST',
      reason: expect.stringContaining('Lyon'),
    });
    const charged = of(ledger, 'charged');
    expect(charged.map(({ releases }) => releases)).toEqual(charged.map((_, i) => i + 1));
    expect(charged.map(({ attempt }) => attempt)).not.toContain(0);
  });

  it('costs a release once masks were asked for', async () => {
    const committee = await startCommittee({
      ...PRIVATE,
      rounds: 1,
      deadlines: { phaseMs: 3000, trainMs: 60_000 },
    });
    const { at, id } = committee;
    await loseInMasks(committee);
    const attempt = async () => (await at.coordinator.view(id)).attempt;
    await vi.waitFor(async () => expect(await attempt()).toBeGreaterThan(0), patient);
    committee.helper(2);
    const ledger = await finished(committee);
    const spent = of(ledger, 'aborted').filter((each) => each.phase === 'masks').length + 1;
    expect(of(ledger, 'charged').map(({ releases }) => releases)).toEqual(
      Array.from({ length: spent }, (_, i) => i + 1),
    );
    expect(spent).toBeGreaterThan(1);
    expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ releases: spent });
  });
});

describe('a helper that lies', () => {
  it.each<[string, string, (outcome: Outcome) => Outcome, string]>([
    [
      'with masks of its own',
      'masks',
      ({ fields }) => ({ fields, payload: crypto.getRandomValues(new Uint8Array(300)) }),
      'ANSWER_INVALID',
    ],
    [
      'with masks that it has not signed',
      'masks',
      ({ fields, payload }) => ({ fields, payload: flipped(payload!, 40) }),
      'AGGREGATION_SIGNATURE_INVALID',
    ],
    ['with a list that is none', 'seeds', () => ({ fields: { bad: [-1] } }), 'ANSWER_INVALID'],
  ])('%s is refused, and the round is tried again', async (_, phase, lie, code) => {
    const committee = await startCommittee({ ...SLOW, rounds: 1 });
    for (const number of [0, 1]) committee.helper(number);
    const refused: string[] = [];
    const liar = inPhase(phase, lie, (attempt) => attempt === 0);
    committee.helper(2, liar, ({ type, ...event }) => {
      if (type === 'refused') refused.push((event as { code: string }).code);
    });
    await sites(committee, [1, 2, 3, 4]);
    const ledger = await finished(committee);
    expect(refused).toEqual([code]);
    expect(of(ledger, 'aborted')).toMatchObject([{ phase, code: 'AGGREGATION_HELPER_LOST' }]);
  });
});

it('leaves out a site whose seed does not open, in the same attempt, also over a restart', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 2 });
  for (const number of [0, 1]) committee.helper(number);
  const [asked, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  committee.helper(2, (work) => async (task) => {
    if (task.place.phase === 'masks') {
      asked.resolve();
      await going.promise;
    }
    return work(task);
  });
  const { onBroadcast, gain } = watched();
  await sites(committee, [0.1, 0.3], 1000);
  await committee.site(0.2, { onBroadcast, weight: 1000 });
  const memory = openSqliteMemory(':memory:');
  const { privateKey } = await memory.identity();
  await committee.site(5, {
    memory,
    change: (work) => async (task) => {
      const { fields, payload } = await work(task);
      const [head] = fields['lengths'] as [number];
      // Behind version, phase, sender and context: the seed for the first helper, signed again.
      payload![4 + 32 + 40]! ^= 1;
      const signed = payload!.slice(0, head - 64);
      payload!.set(
        new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, signed)),
        head - 64,
      );
      return { fields, payload };
    },
  });
  await asked.promise;
  await committee.at.restart();
  going.resolve();
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([3, 3]);
  expect(of(ledger, 'aborted')).toEqual([]);
  expect(gain()).toBeCloseTo(0.2, 2);
});

it('uses nothing of a sum whose masks a helper lied about', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 2 });
  const { at, id, helpers } = committee;
  for (const number of [0, 1]) committee.helper(number);
  const { memory } = helpers[2]!;
  const { plan, planDigest } = await at.coordinator.view(id);
  const encoding = encodingOf(plan, plan.model.parameters);
  const terms = { run: id, plan, planDigest, coordinator: at.coordinator.key, encoding };
  committee.helper(2, (work) => async (task) => {
    const { place, fields, payload } = task;
    if (place.phase !== 'masks' || place.round + place.attempt > 0) return work(task);
    const { roster, rest } = splitRoster(plan, payload!, fields['sites']);
    const signer = signerOf(await identityOf(await memory.identity()));
    const liar = new Helper(signer, await memory.sealingSecret(), { after: -1 });
    const base = fromHex(fields['base'] as string);
    const context = committeeContext({ ...terms, base }, place, roster);
    // Half of all residues: no sum of four sites is so far from another. A random lie about five numbers is in the
    // range of sums once in 32 times.
    const other = new Uint32Array(context.length).fill(2 ** (residueBits(encoding) - 1));
    const { head, chunks } = await liar.answer(context, rest, other);
    const lengths = [head, ...chunks].map(({ length }) => length);
    return { fields: { lengths }, payload: joined([head, ...chunks]) };
  });
  const { onBroadcast, gain } = watched();
  await sites(committee, [0.1, 0.3, 0.4], 1000);
  await committee.site(0.2, { onBroadcast, weight: 1000 });
  const ledger = await finished(committee);
  expect(of(ledger, 'aborted')).toMatchObject([{ code: 'AGGREGATION_SUM_GARBLED' }]);
  expect(gain()).toBeCloseTo(0.25, 2);
});

it.each<[string, (outcome: Outcome) => Outcome, string]>([
  [
    'whose chunk was changed',
    ({ fields, payload }) => ({ fields, payload: flipped(payload!, payload!.length - 1) }),
    'AGGREGATION_CHUNK_INVALID',
  ],
  [
    'with a chunk too many',
    ({ fields, payload }) => ({
      fields: { lengths: [...(fields['lengths'] as number[]), 1] },
      payload: joined([payload!, new Uint8Array(1)]),
    }),
    'ANSWER_INVALID',
  ],
  ['of nothing', () => ({ fields: {} }), 'ANSWER_INVALID'],
])('has nothing of an update %s in the sum', async (_, damage, code) => {
  const committee = await startCommittee({ ...SLOW, rounds: 2 });
  all(committee);
  const { onBroadcast, gain } = watched();
  await sites(committee, [0.1, 0.3], 1000);
  await committee.site(0.2, { onBroadcast, weight: 1000 });
  const refused: string[] = [];
  await committee.site(5, {
    weight: 1000,
    change: inPhase('input', damage, () => true),
    onEvent: (event) => event.type === 'refused' && refused.push(event.code),
  });
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([3, 3]);
  expect(gain()).toBeCloseTo(0.2, 2);
  expect(refused).toEqual([code, code]);
});

it('refuses a message that was sealed for another round', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 2 });
  all(committee);
  await sites(committee, [1, 2, 3]);
  const refused: string[] = [];
  let first: Outcome | undefined;
  await committee.site(4, {
    change: (work) => async (task) => (first ??= await work(task)),
    onEvent: (event) => event.type === 'refused' && refused.push(event.code),
  });
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([4, 3]);
  expect(refused).toEqual(['AGGREGATION_CONTEXT_OTHER']);
});

it('waits for a site that still trains longer than for one that has left', async () => {
  const leap = leapingClock();
  const phaseMs = 60_000;
  const committee = await startCommittee({
    deadlines: { phaseMs, trainMs: 86_400_000 },
    sites: { minimum: 5, maximum: 8, threshold: 3 },
    rounds: 1,
  });
  all(committee);
  await sites(committee, [1, 2, 3]);
  const asked = Promise.withResolvers<void>();
  const gone = await committee.site(4, {
    change: () => async () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const left = Promise.withResolvers<void>();
  await committee.site(5, {
    change: (work) => async (task) => {
      await left.promise;
      return work(task);
    },
  });
  await asked.promise;
  await gone.kill();
  const connected = (count: number) =>
    vi.waitFor(async () => {
      const { members } = await committee.at.coordinator.view(committee.id);
      expect(members.filter((member) => member.connected)).toHaveLength(count);
    }, patient);
  await connected(7);
  leap(phaseMs);
  // The conductor reads its clock when a site comes.
  await committee.site(6);
  await connected(8);
  left.resolve();
  const ledger = await finished(committee);
  expect(of(ledger, 'finished-round').map(({ survivors }) => survivors.length)).toEqual([4]);
});

it('enrols a helper only by its keys in the plan, and by an invitation for helpers', async () => {
  const committee = await startCommittee();
  const { at, id, helpers } = committee;
  const asHelper = await at.coordinator.invite(id, { name: 'Kiel', role: 'helper' });
  const stranger = await committee.site(1, { invitation: asHelper });
  expect(await stranger.ended).toMatchObject({ code: 'INVITATION_INVALID' });
  const { memory } = helpers[0]!;
  const invitation = await at.coordinator.invite(id, { name: 'Basel' });
  const asSite = await committee.site(1, { invitation, memory });
  expect(await asSite.ended).toMatchObject({ code: 'INVITATION_INVALID' });
  const other = openHelperMemory(':memory:');
  const { plan, planDigest } = await at.coordinator.view(id);
  const given = { plan, planDigest, coordinator: at.coordinator.key, name: '', role: 'helper' };
  await expect(
    helperWork({ run: id, joined: given as Joined, memory: other }),
  ).rejects.toMatchObject({ code: 'HELPER_NOT_NAMED' });
});
