/** A coordinator that was restored from an older copy of its folder, which lacks what was spent since. */
import { copyFileSync, rmSync } from 'node:fs';
import { join as pathOf } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, vi } from 'vitest';
import { join, type Remembered } from '../../identity/handshake.ts';
import { invitationOf } from '../../identity/invitation.ts';
import { createIdentity, pseudonymOf } from '../../identity/keys.ts';
import { nextEntry } from '../../ledger/entry.ts';
import { ledgerText, verifyLedger } from '../../ledger/verify.ts';
import { MOST_ATTEMPTS } from '../../plan/encoding.ts';
import type { SiteMemory } from '../../site/memory/site-memory.ts';
import { openSqliteMemory } from '../../site/memory/sqlite-memory.ts';
import { openWitness } from '../../site/witness.ts';
import { openChannel } from '../../transport/channel.ts';
import { memoryChunks } from '../../transport/chunks.ts';
import { connectionPair } from '../../transport/connection.ts';
import { of } from '../testing/committee-trial.ts';
import { startFederation, type TestFederation } from '../testing/federation.ts';
import { startHospital } from '../testing/hospital.ts';

const PRIVATE = {
  aggregation: { kind: 'pairwise' },
  strategy: { name: 'fedsgd' },
  privacy: { mode: 'patient', noise: 20, denominator: 500, epsilon: 5 },
  sites: { minimum: 3, maximum: 4 },
  deadlines: { phaseMs: 20_000, trainMs: 20_000 },
  rounds: 40,
} as const;

/** A federation of three sites with some rounds behind it, and a copy of its store from before the first. */
async function later() {
  const at = await startFederation(PRIVATE);
  const { id } = await at.coordinator.start(at.draft);
  const store = pathOf(at.folder, 'federations.sqlite');
  const copy = `${store}.copy`;
  await at.coordinator.pause(id, 'until all are here');
  const memories = [1, 2, 3].map(() => openSqliteMemory(':memory:'));
  const hospitals = [];
  for (const [i, memory] of memories.entries()) {
    hospitals.push(await startHospital(at, { run: id, number: i + 1, more: { memory } }));
  }
  await vi.waitFor(async () => {
    const { members } = await at.coordinator.view(id);
    expect(members.filter(({ connected }) => connected)).toHaveLength(3);
  });
  const database = new DatabaseSync(store);
  database.exec(`VACUUM INTO '${copy}'`);
  database.close();
  await at.coordinator.resume(id, 'all are here');
  await vi.waitFor(async () => expect((await at.coordinator.view(id)).round).toBeGreaterThan(1), {
    timeout: 20_000,
    interval: 20,
  });
  const restore = () =>
    at.restart(() => {
      for (const end of ['-wal', '-shm']) rmSync(`${store}${end}`, { force: true });
      copyFileSync(copy, store);
    });
  return { at, id, memories, hospitals, restore };
}

it('is refused by each site that has seen a newer entry', async () => {
  const { at, id, hospitals, restore } = await later();
  await restore();
  for (const { ended } of hospitals) {
    await expect(ended).rejects.toMatchObject({
      code: 'LEDGER_INVALID',
      message: expect.stringContaining('restored from an older copy'),
    });
  }
  expect(await at.coordinator.view(id)).toMatchObject({ round: 0 });
}, 60_000);

it('charges the releases that a site has counted where those are more than its own', async () => {
  const { at, id, memories, hospitals, restore } = await later();
  await restore();
  await Promise.allSettled(hospitals.map(({ ended }) => ended));
  const given = await memories[0]!.attemptsOf(id, 'input');
  expect(given).toBeGreaterThan(1);
  // A site that has seen no newer entry, as one that is shown entries only when it joins.
  await memories[0]!.carry(`${id} seen`, undefined);
  const { key } = await startHospital(at, { run: id, number: 1, more: { memory: memories[0]! } });
  const site = await pseudonymOf(key);
  await vi.waitFor(async () =>
    expect(of(await at.coordinator.ledger(id), 'recounted')).toEqual([
      { kind: 'recounted', site, releases: given },
    ]),
  );
  const ledger = await at.coordinator.ledger(id);
  expect(await verifyLedger(ledgerText(ledger))).toMatchObject({ releases: given });
}, 60_000);

/** Accepts the plan of a federation with what a site remembers. */
async function joinWith({ coordinator }: TestFederation, id: string, remembered: Remembered) {
  const [near, far] = connectionPair();
  coordinator.connect(far);
  const channel = openChannel(near, memoryChunks(2 ** 20));
  const invitation = invitationOf(await coordinator.invite(id, { name: 'site' }));
  await join(channel, { identity: await createIdentity(), invitation, accept: () => remembered });
  await channel.receive();
}

it('never charges less than before, nor more than the attempts of the plan', async () => {
  const at = await startFederation({ ...PRIVATE, sites: { minimum: 4, maximum: 4 } });
  const { id } = await at.coordinator.start(at.draft);
  const counts = async () =>
    of(await at.coordinator.ledger(id), 'recounted').map(({ releases }) => releases);
  for (const releases of [3, 2, 5]) await joinWith(at, id, { releases });
  await joinWith(at, id, { releases: Number.MAX_SAFE_INTEGER });
  expect(await counts()).toEqual([3, 5, PRIVATE.rounds * MOST_ATTEMPTS]);
});

it('is refused by a new process of a site, whatever ledger the coordinator shows', async () => {
  const coordinator = await createIdentity();
  const memory: SiteMemory = openSqliteMemory(':memory:');
  const given = { run: 'r', at: '2026-01-01T00:00:00.000Z', witnesses: [] };
  const event = (reason: string) => ({ kind: 'paused', reason }) as const;
  const first = await nextEntry(coordinator, undefined, { ...given, event: event('a') });
  const second = await nextEntry(coordinator, first, { ...given, event: event('b') });
  const other = await nextEntry(coordinator, first, { ...given, event: event('c') });
  const third = await nextEntry(coordinator, second, { ...given, event: event('d') });
  const identity = await createIdentity();
  const open = () => openWitness({ run: 'r', coordinator: coordinator.key, identity, memory });
  await (await open()).sign(second);
  for (const older of [first, other]) {
    await expect((await open()).sign(older)).rejects.toMatchObject({ code: 'LEDGER_INVALID' });
  }
  const again = await open();
  expect(again.newest).toEqual({ sequence: 1, hash: second.hash });
  await again.sign(second);
  await again.sign(third);
  expect((await open()).newest).toEqual({ sequence: 2, hash: third.hash });
});
