/** The two stores that every fault is tried on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startRedis, type TestRedis } from '../../store/testing/redis-server.ts';
import type { WorkerMainOptions } from './worker-main.ts';

export interface FaultPlace extends AsyncDisposable {
  readonly store: WorkerMainOptions['store'];
  readonly blobs: string;
  readonly redis: TestRedis | undefined;
}

export const FAULT_STORES = [
  {
    name: 'SQLite',
    skip: false,
    /** Processes that work on one store at once. */
    workers: 1,
    async open(): Promise<FaultPlace> {
      const folder = await mkdtemp(join(tmpdir(), 'skein-faults-'));
      return place(folder, { sqlite: join(folder, 'jobs.db') }, undefined);
    },
  },
  {
    name: 'Redis',
    skip: requireComponent('redis').skip,
    workers: 2,
    async open(): Promise<FaultPlace> {
      const folder = await mkdtemp(join(tmpdir(), 'skein-faults-'));
      const redis = await startRedis();
      return place(folder, { redis: redis.url }, redis);
    },
  },
].filter(({ skip }) => !skip);

function place(
  folder: string,
  store: WorkerMainOptions['store'],
  redis: TestRedis | undefined,
): FaultPlace {
  return {
    store,
    redis,
    blobs: join(folder, 'blobs'),
    async [Symbol.asyncDispose]() {
      await redis?.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
