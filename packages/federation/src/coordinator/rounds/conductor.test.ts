/** Connections, deadlines and files of a run, and steps that another process has taken. */
import { existsSync } from 'node:fs';
import { join as pathOf } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createIdentity } from '../../identity/keys.ts';
import { openFederationStore } from '../../store/open-store.ts';
import { startHospital } from '../testing/hospital.ts';
import { adds, joinScripted, startFederation, type TestFederation } from '../testing/federation.ts';

const patient = { timeout: 30_000, interval: 20 };
async function finished(at: TestFederation, id: string) {
  await vi.waitFor(
    async () => expect((await at.coordinator.view(id)).status).toBe('finished'),
    patient,
  );
  return (await at.coordinator.ledger(id)).entries.map(({ event }) => event);
}
const answered = async ({ coordinator }: TestFederation, id: string) =>
  (await coordinator.view(id)).members.filter((each) => each.answered).length;

it('uses the newest connection of a site, sends the older one the reason of its end, and ends all when it closes', async () => {
  const at = await startFederation({ rounds: 1 });
  const { id } = await at.coordinator.start(at.draft);
  const identity = await createIdentity();
  const invitation = await at.coordinator.invite(id, { name: 'a' });
  const older = await joinScripted(at, invitation, () => undefined, { identity });
  // Before that the coordinator takes it for one that reads the plan.
  await vi.waitFor(async () => {
    expect((await at.coordinator.view(id)).members).toMatchObject([{ connected: true }]);
  }, patient);
  const newer = await joinScripted(at, invitation, adds(1), { identity });
  expect(await older.ended).toMatchObject({ code: 'IDENTITY_ELSEWHERE' });
  const b = await joinScripted(at, await at.coordinator.invite(id, { name: 'b' }), adds(1));
  await finished(at, id);
  await at.restart();
  expect(await Promise.all([newer.ended, b.ended])).toEqual([undefined, undefined]);
});

it('begins the time of a phase again after a restart, and keeps no file of a round', async () => {
  const at = await startFederation({
    rounds: 1,
    sites: { minimum: 3, threshold: 2 },
    deadlines: { phaseMs: 2000, trainMs: 2000 },
  });
  const { id } = await at.coordinator.start(at.draft);
  const sites = await Promise.all(
    ['a', 'b', 'silent'].map(async (name) => {
      const options = { identity: await createIdentity(), memory: new Map() };
      return [await at.coordinator.invite(id, { name }), name, options] as const;
    }),
  );
  const joinAll = () =>
    Promise.all(
      sites.map(([invitation, name, options]) =>
        joinScripted(at, invitation, name === 'silent' ? () => undefined : adds(1), options),
      ),
    );
  await joinAll();
  await vi.waitFor(async () => expect(await answered(at, id)).toBe(2));
  await at.restart();
  await joinAll();
  const done = (await finished(at, id)).filter(({ kind }) => kind === 'finished-round');
  expect(done).toMatchObject([{ round: 0, attempt: 0, survivors: { length: 2 } }]);
  await vi.waitFor(() =>
    expect(existsSync(pathOf(at.folder, 'uploads', id, 'next-state'))).toBe(false),
  );
});

it('continues from the state that another process has stored, with its answers', async () => {
  const at = await startFederation({
    rounds: 1,
    aggregation: { kind: 'pairwise' },
    sites: { minimum: 4, maximum: 4 },
  });
  const { id } = await at.coordinator.start(at.draft);
  const last = Promise.withResolvers<void>();
  for (const number of [1, 2, 3, 4]) {
    await startHospital(at, {
      run: id,
      number,
      change: (work) => async (task) => {
        if (number === 4 && task.place.phase === 'keys') await last.promise;
        return work(task);
      },
    });
  }
  await vi.waitFor(async () => expect(await answered(at, id)).toBe(3));
  const other = await openFederationStore(pathOf(at.folder, 'federations.sqlite'));
  const { revision, state } = (await other.run(id))!;
  await other.advance(id, revision, state, []);
  await other.close();
  last.resolve();
  const events = await finished(at, id);
  expect(events.filter(({ kind }) => kind === 'aborted')).toEqual([]);
  expect(at.faults).toMatchObject([{ code: 'FEDERATION_MOVED' }]);
});

it('closes after what its sites have asked for is done, whenever it is closed', async () => {
  const at = await startFederation({ sites: { minimum: 2, maximum: 40 } });
  const { id } = await at.coordinator.start(at.draft);
  await at.coordinator.pause(id, 'sites come and go');
  for (let i = 0; i < 30; i += 1) {
    const invitation = await at.coordinator.invite(id, { name: `site ${i}` });
    const joining = joinScripted(at, invitation, adds(1)).catch(() => undefined);
    // A join takes some milliseconds: it is ended somewhere else each time.
    await new Promise((resolve) => setTimeout(resolve, i / 4));
    await at.restart();
    await joining;
  }
  expect(at.faults).toEqual([]);
}, 60_000);
