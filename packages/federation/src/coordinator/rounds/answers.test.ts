/** Answers that come twice, late, or cannot be stored: what is in the sum, and what the coordinator does for them. */
import { sha256 } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { expect, it, vi } from 'vitest';
import { identityOf } from '../../identity/keys.ts';
import { startCommittee } from '../testing/committee.ts';
import { all, sites, SLOW } from '../testing/committee-trial.ts';
import {
  adds,
  floats,
  gainedBy,
  joinScripted,
  type ScriptedSite,
  sendAnswer,
  startFederation,
  type TestFederation,
} from '../testing/federation.ts';

const place = { round: 0, attempt: 0, phase: 'train' };
const patient = { timeout: 30_000, interval: 20 };
const quick = { phaseMs: 1500, trainMs: 1500 };
const answerOf = (number: number) => {
  return { fields: { weight: 1 }, payload: floats(number, number, number, number) };
};

async function opened(more: Parameters<typeof startFederation>[0]) {
  const at = await startFederation({ rounds: 1, ...more });
  const { id, planDigest } = await at.coordinator.start(at.draft);
  const join = async (name: string, script: Parameters<typeof joinScripted>[2]) =>
    joinScripted(at, await at.coordinator.invite(id, { name }), script);
  const give = (site: ScriptedSite, number: number) =>
    sendAnswer(site, id, planDigest, place, answerOf(number));
  return { at, id, join, give };
}
const asked = (site: ScriptedSite): Promise<void> =>
  vi.waitFor(() => expect(site.arrivals.map(({ message }) => message.kind)).toContain('task'));
const replies = ({ arrivals }: ScriptedSite) =>
  arrivals.flatMap(({ message }) => {
    if (message.kind === 'acknowledge') return ['acknowledged'];
    return message.kind === 'refuse' ? [message.code] : [];
  });
const answered = async ({ coordinator }: TestFederation, id: string) =>
  (await coordinator.view(id)).members.filter((each) => each.answered).length;
async function survivorsOf({ coordinator }: TestFederation, id: string) {
  await vi.waitFor(
    async () => expect((await coordinator.view(id)).status).toBe('finished'),
    patient,
  );
  const events = (await coordinator.ledger(id)).entries.map(({ event }) => event);
  expect(events.filter(({ kind }) => kind === 'aborted')).toEqual([]);
  return events.flatMap((event) =>
    event.kind === 'finished-round' ? [event.survivors.length] : [],
  );
}

it('counts no update whose answer could not be stored', async () => {
  const { at, id, join, give } = await opened({
    sites: { minimum: 3, threshold: 2 },
    deadlines: quick,
  });
  const lost = Promise.withResolvers<void>();
  for (const name of ['a', 'b']) {
    await join(name, async (task) => {
      await lost.promise;
      return adds(1)(task);
    });
  }
  const c = await join('c', () => undefined);
  await asked(c);
  const full = new SkeinError('STORAGE_FULL', 'The disk is full.');
  vi.spyOn(at.artifacts, 'put').mockRejectedValueOnce(full);
  await give(c, 100);
  expect(await c.ended).toMatchObject({ code: 'FEDERATION_BUSY' });
  lost.resolve();
  expect(await survivorsOf(at, id)).toEqual([2]);
  for (const gain of await gainedBy(at, id)) expect(gain).toBeCloseTo(1, 5);
  expect(at.faults).toEqual([full]);
});

it('takes the first answer of a site, and reads nothing again for another one', async () => {
  const { at, id, join, give } = await opened({ sites: { minimum: 2 } });
  const going = Promise.withResolvers<void>();
  const a = await join('a', () => undefined);
  await join('b', async (task) => {
    await going.promise;
    return adds(3)(task);
  });
  await asked(a);
  await give(a, 1);
  await vi.waitFor(() => expect(replies(a)).toEqual(['acknowledged']));
  const reads = vi.spyOn(at.artifacts, 'pathOf');
  await give(a, 1);
  await give(a, 100);
  await vi.waitFor(() =>
    expect(replies(a)).toEqual(['acknowledged', 'acknowledged', 'ANSWER_CONFLICT']),
  );
  expect(await answered(at, id)).toBe(1);
  going.resolve();
  expect(await survivorsOf(at, id)).toEqual([2]);
  // By the sum.
  const digest = await sha256(answerOf(1).payload);
  expect(reads.mock.calls.filter(([read]) => read === digest)).toHaveLength(1);
  for (const gain of await gainedBy(at, id)) expect(gain).toBeCloseTo(2, 5);
});

it('makes no attempt of an answer that comes before one', async () => {
  const committee = await startCommittee({ ...SLOW, rounds: 1 }, 2);
  const { at, id, helpers } = committee;
  const { memory, invitation } = helpers[0]!;
  const identity = await identityOf(await memory.identity());
  const helper = await joinScripted(at, invitation, () => undefined, { identity });
  const { planDigest } = await at.coordinator.view(id);
  const early = { ...place, phase: 'gather' };
  await sendAnswer(helper, id, planDigest, early, { fields: { bad: [] } });
  await vi.waitFor(() => expect(replies(helper)).toEqual(['PHASE_CLOSED']));
  all(committee);
  await sites(committee, [1, 2, 3, 4]);
  expect(await survivorsOf(at, id)).toEqual([4]);
  expect(at.faults).toEqual([]);
});

it('stores nothing of an answer that comes after the end', async () => {
  const { at, id, join, give } = await opened({ sites: { minimum: 2 } });
  const [a, b] = [await join('a', () => undefined), await join('b', () => undefined)];
  await asked(b);
  await give(b, 1);
  await vi.waitFor(() => expect(replies(b)).toEqual(['acknowledged']));
  await at.coordinator.stop(id, 'enough');
  const puts = vi.spyOn(at.artifacts, 'put');
  // The first answer is no longer stored, so that the same answer is a late one, too.
  await give(a, 2);
  await give(b, 1);
  await vi.waitFor(() => expect(replies(a)).toEqual(['PHASE_CLOSED']));
  await vi.waitFor(() => expect(replies(b)).toEqual(['acknowledged', 'PHASE_CLOSED']));
  expect(puts).not.toHaveBeenCalled();
  expect(at.faults).toEqual([]);
});
