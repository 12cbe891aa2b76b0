/** The rows about the stores of jobs: throughput against BullMQ and RQ, pickup, and the flood. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openRedisJobs } from '@skein/jobs/redis';
import { openSqliteJobs } from '@skein/jobs/sqlite';
import { startRedis } from '../../../packages/jobs/src/store/testing/redis-server.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { quantile } from '../harness/statistics.ts';
import { bullmqThroughput } from './bullmq.ts';
import { noop } from './noop.ts';
import { pickups } from './pickup.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { storeThroughput } from './throughput.ts';

const run = promisify(execFile);
const PEER = join(import.meta.dirname, '../../peers/rq/throughput.py');
const FLOOD = 100_000;

async function sqliteThroughput(jobs: number): Promise<number> {
  const folder = await temporaryFolder();
  const store = await openSqliteJobs(join(folder.path, 'jobs.db'));
  try {
    const node = { producer: store, worker: store };
    await storeThroughput(node, 1, jobs / 4); // compiles
    return await storeThroughput(node, 1, jobs);
  } finally {
    await store.close();
    await folder.remove();
  }
}

export const STORE_ROWS: RowGroup = {
  measures: [
    {
      key: 'sqlite_jobs_per_s',
      what: 'embedded store: enqueue + claim + complete per second',
      unit: '',
      target: { atLeast: 10_000 },
    },
    {
      key: 'redis_vs_bullmq',
      what: 'Redis store over BullMQ on the same Redis, no-op jobs, 100 in flight',
      unit: '×',
      target: { atLeast: 1 },
    },
    {
      key: 'redis_vs_rq',
      what: 'Redis store over RQ on the same Redis, no-op jobs',
      unit: '×',
      target: { atLeast: 10 },
    },
    {
      key: 'pickup_p50_ms',
      what: 'enqueue → start over Redis, p50',
      unit: ' ms',
      target: { atMost: 2 },
    },
    {
      key: 'flood_p99_ratio',
      what: "another tenant's p99 pickup while one floods 100,000 jobs, over without",
      unit: '×',
      target: { atMost: 3 },
    },
  ],
  async measure({ quick, progress }) {
    const jobs = quick ? 6000 : 30_000;
    progress('SQLite: enqueue, claim, complete');
    const sqlite = await sqliteThroughput(jobs * 2);
    const redis = await startRedis({ fsync: 'everysec' });
    try {
      const [producer, consumer] = await Promise.all([
        openRedisJobs(redis.url, { namespace: 'bench' }),
        openRedisJobs(redis.url, { namespace: 'bench' }),
      ]);
      progress('Redis against BullMQ, three alternating rounds');
      const ours: number[] = [];
      const theirs: number[] = [];
      const fleet = { producer, worker: consumer };
      await storeThroughput(fleet, 2, jobs / 4);
      await bullmqThroughput(redis.port, jobs / 4);
      for (let round = 0; round < 3; round += 1) {
        ours.push(await storeThroughput(fleet, 2, jobs));
        theirs.push(await bullmqThroughput(redis.port, jobs));
      }
      progress('RQ');
      const { stdout } = await run('/usr/bin/python3', [
        PEER,
        String(redis.port),
        String(quick ? 500 : 3000),
      ]);
      const rq = Number(stdout);
      progress('pickup');
      const rounds = quick ? 500 : 2000;
      const calm = await pickups(producer, consumer, rounds);
      progress('a flood of 100,000 jobs');
      for (let made = 0; made < FLOOD; made += 1000) {
        await producer.enqueue(Array.from({ length: 1000 }, () => noop({ tenant: 'flood' })));
      }
      const flooded = await pickups(producer, consumer, rounds);
      await Promise.all([producer.close(), consumer.close()]);
      const [skein, bullmq] = [quantile(ours, 0.5), quantile(theirs, 0.5)];
      return {
        results: {
          sqlite_jobs_per_s: sqlite,
          redis_vs_bullmq: skein / bullmq,
          redis_vs_rq: skein / rq,
          pickup_p50_ms: quantile(calm, 0.5),
          flood_p99_ratio: quantile(flooded, 0.99) / quantile(calm, 0.99),
        },
        details: {
          redisJobsPerSecond: ours,
          bullmqJobsPerSecond: theirs,
          rqJobsPerSecond: rq,
          pickupP99Ms: quantile(calm, 0.99),
          floodedPickupP50Ms: quantile(flooded, 0.5),
          floodedPickupP99Ms: quantile(flooded, 0.99),
        },
      };
    } finally {
      await redis.destroy();
    }
  },
};
