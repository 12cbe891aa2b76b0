import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@skein/api/client';
import { createExposition } from '@skein/http';
import { createWorkerScale, type JobStore } from '@skein/jobs';
import { FLEET_NAMESPACE } from '@skein/state';
import { openRedisJobs } from '@skein/jobs/redis';
import { openSqliteJobs } from '@skein/jobs/sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { job, offer } from '../../../../jobs/src/store/testing/fixtures.ts';
import { startRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { startNode } from '../../node.ts';
import { createJobMetrics, type JobMetrics } from './job-page.ts';

/** Samples by their names and labels as they stand on the page. */
function samples(page: string): Record<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

function rendered(metrics: JobMetrics): Record<string, number> {
  const page = createExposition();
  metrics.expose(page);
  return samples(page.text());
}

let folder: string;
beforeEach(async () => (folder = testFolder()));
afterEach(async () => {
  vi.useRealTimers();
});

/** Has a worker claim a job and then fall silent, for good. */
async function loseLease(store: JobStore): Promise<void> {
  const retry = { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 };
  await store.enqueue([job({ queue: 'default', tenant: 'default', retry })]);
  expect(await store.claim(offer({ queues: ['default'], leaseMs: 50 }))).toHaveLength(1);
  await store.close();
}

/** @returns how long the job that no worker may run waits, in seconds, once the others are counted. */
async function scrapeNode(redis?: string): Promise<number | undefined> {
  const node = await startNode({
    dataFolder: join(folder, 'data'),
    cores: 1,
    ...(redis === undefined ? {} : { redis, blobs: join(folder, 'blobs') }),
  });
  try {
    const client = createClient({ url: node.url });
    const command = (...argv: string[]) => ({
      work: {
        kind: 'command' as const,
        argv,
        trusted: true,
        sandbox: 'process' as const,
        network: 'host' as const,
      },
      retry: { maxAttempts: 1, backoffMs: 0, maxBackoffMs: 0 },
    });
    const never = { ...command('true'), requires: ['nothing-has-this'] };
    await client.enqueueJobs({ jobs: [command('true'), command('false'), never] });
    const page = async () => samples(await (await fetch(`${node.url}/metrics`)).text());
    await vi.waitFor(
      async () =>
        expect(await page()).toMatchObject({
          skein_job_store_up: 1,
          'skein_job_attempts_total{queue="default",cause="succeeded"}': 1,
          'skein_job_attempts_total{queue="default",cause="exit-code"}': 1,
          'skein_job_attempts_total{queue="default",cause="lease-lost"}': 1,
          'skein_job_leases_lost_total{queue="default"}': 1,
          'skein_jobs{queue="default",state="succeeded"}': 1,
          'skein_jobs{queue="default",state="dead"}': 2,
          'skein_jobs{queue="default",state="ready"}': 1,
          'skein_jobs{queue="default",state="running"}': 0,
          skein_job_pickup_seconds_count: 2,
          'skein_job_workers{mode="open"}': 1,
        }),
      { timeout: 30_000, interval: 300 },
    );
    const { 'skein_jobs_oldest_ready_seconds{queue="default"}': waits } = await page();
    return waits;
  } finally {
    await node.drain();
  }
}

describe('a node that ran jobs shows a success, a failure and a lost lease', () => {
  it('with jobs in its data folder', async () => {
    await mkdir(join(folder, 'data'), { mode: 0o700 });
    await loseLease(await openSqliteJobs(join(folder, 'data', 'jobs.db')));
    expect(await scrapeNode()).toBeGreaterThan(0);
  }, 60_000);

  it.skipIf(requireComponent('redis').skip)(
    'with jobs in a Redis',
    async () => {
      const server = await startRedis();
      try {
        await loseLease(await openRedisJobs(server.url, { namespace: FLEET_NAMESPACE }));
        expect(await scrapeNode(server.url)).toBeGreaterThan(0);
      } finally {
        await server.destroy();
      }
    },
    60_000,
  );
});

describe("the store's numbers", () => {
  const NONE = {
    blocked: 0,
    ready: 0,
    running: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    dead: 0,
  };

  it('has a bounded number of series, and no count is lost', async () => {
    const metrics = createJobMetrics(['zebra'], createWorkerScale());
    const names = [...Array.from({ length: 500 }, (_, index) => `q${index}`), 'zebra'];
    await metrics.read({
      queues: async () =>
        names.map((queue, index) => ({
          queue,
          mode: 'open',
          counts: { ...NONE, ready: 1 },
          oldestReadyAt: 10_000 - index,
          attempts: { 'lease-lost': 2 },
        })),
      workers: async () => [],
      now: async () => 20_000,
    });
    const page = rendered(metrics);
    const ready = Object.entries(page).filter(([name]) => name.includes('state="ready"'));
    expect(ready).toHaveLength(51);
    expect(ready.reduce((sum, [, count]) => sum + count, 0)).toBe(501);
    expect(page).toMatchObject({
      // The node's own is named although it comes last.
      'skein_jobs{queue="zebra",state="ready"}': 1,
      'skein_jobs{queue="(other)",state="ready"}': 451,
      'skein_job_leases_lost_total{queue="(other)"}': 902,
      'skein_jobs_oldest_ready_seconds{queue="(other)"}': 10.499,
      'skein_workers_desired{queue="zebra"}': 1,
    });
    expect(Object.keys(page).length).toBeLessThan(600);
  });

  it('is asked for once a second at most, and never twice at a time', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    const answer = Promise.withResolvers<[]>();
    const queues = vi.fn(() => answer.promise);
    const store = { queues, workers: async () => [], now: async () => 0 };
    const metrics = createJobMetrics(['default'], createWorkerScale());
    const hanging = metrics.read(store);
    await vi.advanceTimersByTimeAsync(2000);
    await hanging;
    // The rest of the page is there without it.
    expect(rendered(metrics)).toMatchObject({ skein_job_store_up: 0 });
    const second = metrics.read(store);
    expect(queues).toHaveBeenCalledTimes(1);
    answer.resolve([]);
    await second;
    expect(rendered(metrics)).toMatchObject({ skein_job_store_up: 1 });
    await metrics.read(store);
    expect(queues).toHaveBeenCalledTimes(2);
    await metrics.read(store);
    expect(queues).toHaveBeenCalledTimes(2);
  });

  it('is not shown once the store has failed', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
    const metrics = createJobMetrics(['default'], createWorkerScale());
    const rest = { workers: async () => [], now: async () => 0 };
    await metrics.read({ queues: async () => [], ...rest });
    expect(rendered(metrics)).toHaveProperty(['skein_job_workers{mode="open"}'], 0);
    vi.advanceTimersByTime(1000);
    await metrics.read({ queues: () => Promise.reject(new Error('away')), ...rest });
    const page = rendered(metrics);
    expect(page['skein_job_store_up']).toBe(0);
    expect(page).not.toHaveProperty(['skein_job_workers{mode="open"}']);
  });
});
