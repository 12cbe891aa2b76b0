import { readdirSync, readlinkSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../scripts/testing/components.ts';
import { openJobPlane, type JobPlaneOptions } from './plane.ts';
import { startRedis } from './store/testing/redis-server.ts';

const redis = requireComponent('redis');

let folder: string;
beforeEach(() => {
  folder = testFolder();
});
afterEach(async () => {
  vi.useRealTimers();
});

/** The number of sweeps that a node plans when it is started like this. */
async function sweeps(places: Pick<JobPlaneOptions, 'redis' | 'blobs'>): Promise<number> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const plane = await openJobPlane({ folder, queues: [], log: () => undefined, ...places });
  const planned = vi.getTimerCount();
  await plane.drain();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  return planned;
}

it('removes artifacts from its own folder only', async () => {
  expect(await sweeps({})).toBe(1);
  expect(await sweeps({ blobs: join(folder, 'shared') })).toBe(0);
});

it('removes the partial uploads of an earlier process from its own folder at start', async () => {
  await mkdir(join(folder, 'blobs'));
  await writeFile(join(folder, 'blobs', '.incoming-0123'), 'half of it');
  const plane = await openJobPlane({ folder, queues: [], log: () => undefined });
  expect(await readdir(join(folder, 'blobs'))).toEqual([]);
  await plane.drain();
});

it.skipIf(redis.skip)('removes nothing in a fleet', async () => {
  const server = await startRedis();
  expect(await sweeps({ redis: server.url, blobs: join(folder, 'shared') })).toBe(0);
  expect(await sweeps({ redis: server.url })).toBe(0);
  await server.destroy();
});

it.runIf(process.platform === 'linux')('leaves nothing open when it cannot be opened', async () => {
  const options = { folder, queues: [], log: () => undefined };
  await (await openJobPlane(options)).drain();
  const database = new DatabaseSync(join(folder, 'jobs.db'));
  database.exec('DROP TABLE holdings');
  database.close();
  await expect(openJobPlane(options)).rejects.toThrow(/holdings/);
  expect(openFiles().filter((path) => path.startsWith(folder))).toEqual([]);
});

/** Paths of the files that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return [];
    }
  });
}
