/** A Redis with other or older contents than a process has seen: no job is created, changed or claimed there. */
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { FLEET_NAMESPACE, followState, openFleetState } from '@skein/state';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import type { JobStore } from '../../contract.ts';
import { startWorker } from '../../worker/worker.ts';
import { openFollowedStore } from '../followed-store.ts';
import { openFleetStore } from '../open-store.ts';
import { claimOne, enqueueOne, job, offer, success } from '../testing/fixtures.ts';
import { startRedis, type TestRedis } from '../testing/redis-server.ts';

const { skip } = requireComponent('redis');
const LONG = { timeout: 30_000, interval: 20 };
const REPLACED = { code: 'STORE_REPLACED' };
const schedule = { id: 's', cron: '* * * * *', timeZone: 'UTC', paused: false, spec: job() };
const worker = {
  worker: 'w',
  host: 'h',
  queues: ['q'],
  labels: [],
  total: { cores: 64, memoryBytes: 2 ** 36 },
  mode: 'open' as const,
  startedAt: 0,
};

/** A call of each method that reads or writes Redis. */
const CALLS = {
  enqueue: (store) => store.enqueue([job()]),
  claim: (store) => store.claim(offer()),
  renew: (store) => store.renew('w', [1], 1000),
  progress: (store) => store.progress(1, 0.5, ''),
  appendLog: (store) => store.appendLog(1, 0, Buffer.from('x')),
  saveCheckpoint: (store) => store.saveCheckpoint(1, 'a'),
  finish: (store) => store.finish(1, success()),
  cancel: (store) => store.cancel('j', ''),
  preempt: (store) => store.preempt('j'),
  revive: (store) => store.revive('j'),
  remove: (store) => store.remove('j'),
  setQueueMode: (store) => store.setQueueMode('q', 'paused'),
  putTenant: (store) => store.putTenant({ tenant: 't', weight: 1 }),
  tenantLoad: (store) => store.tenantLoad('t'),
  holdArtifact: (store) => store.holdArtifact('t', 'a', 1),
  lackedArtifacts: (store) => store.lackedArtifacts('t', ['a']),
  heldArtifacts: (store) => store.heldArtifacts(),
  dropArtifact: (store) => store.dropArtifact('a'),
  putSchedule: (store) => store.putSchedule(schedule),
  removeSchedule: (store) => store.removeSchedule('s'),
  schedules: (store) => store.schedules(),
  tick: (store) => store.tick(),
  registerWorker: (store) => store.registerWorker(worker),
  removeWorker: (store) => store.removeWorker('w'),
  workers: (store) => store.workers(),
  job: (store) => store.job('j'),
  jobs: (store) => store.jobs({ limit: 1 }),
  groupCounts: (store) => store.groupCounts('j'),
  queues: (store) => store.queues(),
  tenants: (store) => store.tenants(),
  log: (store) => store.log('j', 1, 0, 1),
  now: (store) => store.now(),
} as const satisfies Record<
  Exclude<keyof JobStore, 'waitForWork' | 'onLeaseNotification' | 'events' | 'close'>,
  (store: JobStore) => Promise<unknown>
>;

describe.skipIf(skip)('a store of jobs whose Redis has other contents', () => {
  let redis: TestRedis;
  let store: JobStore;
  const kept = (): string => `${redis.folder}-kept`;
  beforeEach(async () => {
    redis = await startRedis();
    store = await open();
    await store.registerWorker(worker);
  });
  afterEach(async () => {
    await store?.close();
    await rm(kept(), { recursive: true, force: true });
    await redis?.destroy();
  });
  const open = (): Promise<JobStore> => openFollowedStore(redis.url, { log: () => {} });

  async function lose(): Promise<void> {
    await redis.kill();
    await rename(redis.folder, kept());
    await mkdir(redis.folder);
    await redis.start();
  }
  async function bringBack(): Promise<void> {
    await redis.kill();
    await rm(redis.folder, { recursive: true });
    await rename(kept(), redis.folder);
    await redis.start();
  }
  async function refusesAll(): Promise<void> {
    for (const [name, call] of Object.entries(CALLS)) {
      await expect(call(store), name).rejects.toMatchObject(REPLACED);
    }
  }

  it('refuses every call until the right contents are back, and has lost no job then', async () => {
    const waiting = await enqueueOne(store);
    const { token } = await claimOne(store, { leaseMs: 600_000 });
    await lose();
    await refusesAll();
    // Another fleet has begun there, whose tokens are the same numbers.
    const other = await open();
    await other.registerWorker(worker);
    const foreign = await enqueueOne(other);
    expect((await claimOne(other)).token).toBe(token);
    await expect(store.finish(token, success(1))).rejects.toMatchObject(REPLACED);
    expect(await other.job(foreign)).toMatchObject({ state: 'running' });
    await other.close();

    await bringBack();
    await expect.poll(() => store.finish(token, success(2)).catch(String), LONG).toBe('succeeded');
    expect(await store.job(waiting)).toMatchObject({ state: 'succeeded', result: { value: 2 } });
    await enqueueOne(store);
  });

  it('refuses an older copy before anything has been compared, and while it contradicts', async () => {
    const openState = () => openFleetState(redis.url, { namespace: FLEET_NAMESPACE });
    const key = (id: string) => ({
      id,
      secretHash: 'ab',
      label: 'l',
      tenant: 't',
      scopes: ['infer' as const],
      createdAt: new Date(0).toISOString(),
    });
    const followed = await followState({ open: openState, log: () => {} });
    await store.close();
    store = await openFleetStore(redis.url, { cursor: () => followed.cursor() });
    const copied = followed.cursor();
    await redis.kill();
    await cp(redis.folder, kept(), { recursive: true });
    await redis.start();
    await expect.poll(() => followed.state.addKey(key('k')).catch(String), LONG).toBe(undefined);
    await expect.poll(() => followed.cursor(), LONG).not.toBe(copied);

    await bringBack();
    await refusesAll();
    // Grown to the same number and past it before the difference is seen, and afterwards.
    const older = await openState();
    for (const id of ['x', 'y', 'z']) await older.addKey(key(id));
    await refusesAll();
    await expect.poll(() => followed.standing().state, LONG).toBe('frozen');
    await refusesAll();
    await older.close();
    await followed.state.close();
  });

  it('lets a worker claim nothing there, and claim again when the right ones are back', async () => {
    const lines: string[] = [];
    const running = await startWorker({
      store,
      artifacts: {} as never,
      sandboxes: [],
      queues: ['q'],
      capacity: { cores: 1, memoryBytes: 2 ** 30 },
      log: (level, message) => void (level === 'error' && lines.push(message)),
    });
    await lose();
    const other = await open();
    await other.registerWorker(worker);
    const foreign = await enqueueOne(other);
    // It has tried, and was refused.
    await expect(store.claim(offer())).rejects.toMatchObject(REPLACED);
    expect(await other.job(foreign)).toMatchObject({ state: 'ready' });
    expect((await other.workers()).map((it) => it.worker)).toEqual(['w']);
    await other.close();
    await bringBack();
    await expect.poll(() => enqueueOne(store).catch(() => undefined), LONG).toBeDefined();
    await expect
      .poll(
        async () => (await store.jobs({ limit: 10 })).jobs.some((it) => it.attempts.length > 0),
        LONG,
      )
      .toBe(true);
    expect(lines).toEqual([]);
    await running.drain(0, 0);
  });
});
