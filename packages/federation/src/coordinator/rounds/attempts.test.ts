/** How long an attempt waits, for which sites, when the next one begins, and when the run gives up. */
import { join as pathOf } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { ServerRound } from '@skein/train/secure-aggregation';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createIdentity, identityOf } from '../../identity/keys.ts';
import type { LedgerEvent } from '../../ledger/entry.ts';
import { MOST_ATTEMPTS } from '../../plan/encoding.ts';
import { openFederationStore } from '../../store/open-store.ts';
import { startCommittee } from '../testing/committee.ts';
import {
  adds,
  floats,
  joinScripted,
  type ScriptedAnswer,
  type ScriptedSite,
  startFederation,
  type TestFederation,
} from '../testing/federation.ts';
import { startHospital } from '../testing/hospital.ts';
import { leapingClock } from '../testing/leaping-clock.ts';
import { retryAfterMs } from './attempt.ts';

const patient = { timeout: 30_000, interval: 20 };
/** No phase of a test lasts so long: what ends one is not its deadline. */
const DAY_MS = 86_400_000;
const NEVER = { phaseMs: DAY_MS, trainMs: DAY_MS };
const BAD: ScriptedAnswer = { fields: { weight: 1 }, payload: floats(NaN, NaN, NaN, NaN) };

async function ended(at: TestFederation, id: string, status = 'finished') {
  await vi.waitFor(async () => {
    expect((await at.coordinator.view(id)).status).toBe(status);
  }, patient);
  return (await at.coordinator.ledger(id)).entries.map(({ event }) => event);
}
const of = <K extends LedgerEvent['kind']>(events: readonly LedgerEvent[], kind: K) =>
  events.filter((event): event is Extract<LedgerEvent, { kind: K }> => event.kind === kind);
/** Resolves when the sites and helpers of these names, and no others, are. */
const connected = ({ coordinator }: TestFederation, id: string, names: readonly string[]) =>
  vi.waitFor(async () => {
    const { members } = await coordinator.view(id);
    const found = members.flatMap((each) => (each.connected ? [each.name] : []));
    expect(found.toSorted()).toEqual(names);
  }, patient);
const asked = (site: ScriptedSite, count: number): Promise<void> =>
  vi.waitFor(() => {
    const tasks = site.arrivals.filter(({ message }) => message.kind === 'task');
    expect(tasks).toHaveLength(count);
  }, patient);

it('ends an attempt when too few sites are left, and pauses longer before each further one', async () => {
  const at = await startFederation({ rounds: 1, deadlines: NEVER });
  const { id } = await at.coordinator.start(at.draft);
  const begun: number[] = [];
  // Connected, and silent: its answer would not help.
  await joinScripted(at, await at.coordinator.invite(id, { name: 'a' }), (task) =>
    task.place.attempt < 3 ? undefined : adds(1)(task),
  );
  await joinScripted(at, await at.coordinator.invite(id, { name: 'b' }), (task) => {
    begun[task.place.attempt] = performance.now();
    return task.place.attempt < 3 ? BAD : adds(1)(task);
  });
  const aborted = of(await ended(at, id), 'aborted');
  expect(aborted.map(({ attempt, code }) => [attempt, code])).toEqual(
    [0, 1, 2].map((attempt) => [attempt, 'SITES_MISSING']),
  );
  for (const attempt of [0, 1, 2]) {
    // A timer may be early by a millisecond.
    expect(begun[attempt + 1]! - begun[attempt]!).toBeGreaterThan(retryAfterMs(attempt) - 2);
  }
  expect([0, 1, 2, 6, 7, 999].map(retryAfterMs)).toEqual([100, 200, 400, 6400, 10_000, 10_000]);
});

it('fails a run at the last attempt that a round may have', async () => {
  const at = await startFederation({ rounds: 1, deadlines: NEVER });
  const { id } = await at.coordinator.start(at.draft);
  const store = await openFederationStore(pathOf(at.folder, 'federations.sqlite'));
  const { revision, state } = (await store.run(id))!;
  await store.advance(id, revision, { ...state, attempt: MOST_ATTEMPTS - 1 }, []);
  await store.close();
  await at.restart();
  for (const name of ['a', 'b']) {
    await joinScripted(at, await at.coordinator.invite(id, { name }), () => BAD);
  }
  const events = await ended(at, id, 'failed');
  expect(of(events, 'aborted')).toHaveLength(1);
  expect(of(events, 'ended')).toMatchObject([
    { status: 'failed', reason: `Round 0 was aborted ${MOST_ATTEMPTS} times.` },
  ]);
});

it('waits for a hospital that is away as long as for one that trains', async () => {
  const leap = leapingClock();
  const at = await startFederation({
    rounds: 1,
    deadlines: { phaseMs: 60_000, trainMs: DAY_MS },
    sites: { minimum: 2, maximum: 3 },
  });
  const { id } = await at.coordinator.start(at.draft);
  const identity = await createIdentity();
  const [first, second] = await Promise.all(
    ['a', 'b'].map((name) => at.coordinator.invite(id, { name })),
  );
  await joinScripted(at, first!, adds(1));
  const away = await joinScripted(at, second!, () => undefined, { identity });
  await asked(away, 1);
  away.channel.close();
  await connected(at, id, ['a']);
  leap(3_600_000);
  // The conductor reads its clock when a site comes.
  const third = await at.coordinator.invite(id, { name: 'c' });
  await joinScripted(at, third, adds(1));
  await connected(at, id, ['a', 'c']);
  await joinScripted(at, second!, adds(1), { identity });
  const events = await ended(at, id);
  expect(of(events, 'aborted')).toEqual([]);
  expect(of(events, 'finished-round')).toMatchObject([{ attempt: 0, survivors: { length: 2 } }]);
});

it('sends the entries of a growing ledger to helpers, and not to sites that pass', async () => {
  const { at, id, helpers } = await startCommittee({}, 2);
  const { memory, invitation } = helpers[0]!;
  const identity = await identityOf(await memory.identity());
  const helper = await joinScripted(at, invitation, () => undefined, { identity });
  const link = await at.coordinator.invite(id, { name: 'page' });
  const site = await joinScripted(at, link, () => undefined);
  await connected(at, id, [helpers[0]!.name, 'page']);
  await at.coordinator.pause(id, 'maintenance');
  for (const { arrivals } of [helper, site]) {
    await vi.waitFor(
      () => expect(arrivals.at(-1)?.message).toMatchObject({ kind: 'status', status: 'paused' }),
      patient,
    );
  }
  const entries = ({ arrivals }: ScriptedSite) =>
    arrivals.flatMap(({ message }) =>
      message.kind === 'entry' ? [(message.entry as { event: LedgerEvent }).event.kind] : [],
    );
  expect(entries(site)).toEqual(['accepted']);
  expect(entries(helper)).toEqual(['accepted', 'accepted', 'paused']);
});

it('takes an update again whose chunks a fault of the disk kept from being checked', async () => {
  const full = new SkeinError('STORAGE_FULL', 'The test has no disk.');
  const spy = vi.spyOn(ServerRound.prototype, 'acceptUpdate').mockRejectedValueOnce(full);
  onTestFinished(() => spy.mockRestore());
  const at = await startFederation({
    rounds: 1,
    aggregation: { kind: 'pairwise' },
    sites: { minimum: 4, maximum: 4 },
    deadlines: NEVER,
  });
  const { id } = await at.coordinator.start(at.draft);
  for (const number of [1, 2, 3, 4]) {
    await startHospital(at, {
      run: id,
      number,
    });
  }
  const events = await ended(at, id);
  expect(of(events, 'finished-round')).toMatchObject([{ attempt: 0, survivors: { length: 4 } }]);
  expect(at.faults).toEqual([full]);
});

it('spends no attempt on a disk that is full when the round ends, and ends it when there is free space', async () => {
  const at = await startFederation({ rounds: 1, deadlines: NEVER });
  const { id } = await at.coordinator.start(at.draft);
  const full = new SkeinError('STORAGE_FULL', 'The test has no disk.');
  const put = at.artifacts.put.bind(at.artifacts);
  let puts = 0;
  // The updates of the two sites fit.
  vi.spyOn(at.artifacts, 'put').mockImplementation(async (...parameters) => {
    puts += 1;
    if (puts === 3) throw full;
    return put(...parameters);
  });
  for (const name of ['a', 'b']) {
    await joinScripted(at, await at.coordinator.invite(id, { name }), adds(1));
  }
  const events = await ended(at, id);
  expect(of(events, 'aborted')).toEqual([]);
  expect(of(events, 'finished-round')).toMatchObject([{ attempt: 0, survivors: { length: 2 } }]);
  expect(at.faults).toEqual([full]);
});
