/**
 * A Redis whose disk or memory is full: a refused call gets a coded error, accepted jobs are kept.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { mountTinyDisk, tinyDisk } from '../../../../state/src/testing/tiny-disk.ts';
import type { JobStore } from '../../contract.ts';
import { claimOne, enqueueOne, offer, success } from '../testing/fixtures.ts';
import { startRedis } from '../testing/redis-server.ts';
import { openRedisJobs } from './redis-jobs.ts';

const redis = requireComponent('redis');
const long = { timeout: 60_000 };
const FULL = { code: 'STORAGE_FULL' };

/** Enqueues until it is refused. @returns the accepted jobs. */
async function fill(store: JobStore, refusal: { code: string } = FULL): Promise<string[]> {
  const accepted: string[] = [];
  const name = 'x'.repeat(2000);
  const enqueueing = async (): Promise<never> => {
    for (;;) accepted.push(await enqueueOne(store, { name }));
  };
  await expect(enqueueing()).rejects.toMatchObject(refusal);
  return accepted;
}

async function everyId(store: JobStore): Promise<string[]> {
  const { jobs } = await store.jobs({ limit: 100_000 });
  return jobs.map(({ id }) => id).reverse();
}

describe.skipIf(redis.skip || tinyDisk.skip)('a Redis on a full disk', () => {
  it('refuses every change, still answers reads, and has lost nothing', long, async () => {
    using disk = mountTinyDisk('size=2m');
    const reserve = join(disk.folder, 'reserve');
    writeFileSync(reserve, Buffer.alloc(2 ** 20));
    const server = await startRedis({ folder: disk.folder });
    const store = await openRedisJobs(server.url, { namespace: 'full' });
    try {
      const done = await enqueueOne(store);
      const { token } = await claimOne(store);
      await store.finish(token, success(7));
      const waiting = await fill(store);
      expect(waiting.length).toBeGreaterThan(10);
      const accepted = [done, ...waiting];

      // Not only calls that take memory: no change that could not be kept is acknowledged.
      await expect(store.claim(offer())).rejects.toMatchObject(FULL);
      await expect(store.cancel(waiting[0]!, '')).rejects.toMatchObject(FULL);
      expect(await everyId(store)).toEqual(accepted);
      expect(await store.job(done)).toMatchObject({ state: 'succeeded', result: { value: 7 } });
      expect((await store.queues())[0]?.counts).toMatchObject({ ready: waiting.length });

      rmSync(reserve);
      const more = () => enqueueOne(store).catch(() => undefined);
      let added: string | undefined;
      await expect.poll(async () => (added ??= await more()), long).toBeDefined();
      accepted.push(added!);
      await server.kill();
      await server.start();
      await expect.poll(() => everyId(store).catch(() => undefined), long).toEqual(accepted);
      const free = { cores: 10_000, memoryBytes: 2 ** 50 };
      expect(await store.claim(offer({ free, max: 10_000 }))).toHaveLength(waiting.length + 1);
    } finally {
      await store.close();
      await server.kill();
    }
  });
});

describe.skipIf(redis.skip || tinyDisk.skip)(
  'a Redis that syncs each answer, on a full disk',
  () => {
    it('exits, and has all accepted jobs when there is free space again', long, async () => {
      using disk = mountTinyDisk('size=2m');
      const reserve = join(disk.folder, 'reserve');
      writeFileSync(reserve, Buffer.alloc(2 ** 20));
      const server = await startRedis({ folder: disk.folder, fsync: 'always' });
      const store = await openRedisJobs(server.url, { namespace: 'full' });
      try {
        const accepted = await fill(store, { code: 'STORE_UNREACHABLE' });
        rmSync(reserve);
        await server.start();
        await expect
          .poll(() => everyId(store).catch(() => []), long)
          .toEqual(expect.arrayContaining(accepted));
      } finally {
        await store.close();
        await server.kill();
      }
    });
  },
);

describe.skipIf(redis.skip)('a Redis whose memory is used up', () => {
  it('refuses calls that make it grow, and lets accepted jobs end', long, async () => {
    const server = await startRedis();
    const client = new Redis(server.url);
    const store = await openRedisJobs(server.url, { namespace: 'full' });
    try {
      const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1]);
      await client.config('SET', 'maxmemory', used + 8 * 2 ** 20);
      const waiting = await fill(store);
      const { token } = await claimOne(store);
      await expect(store.appendLog(token, 0, Buffer.from('x'))).rejects.toMatchObject(FULL);
      expect(await store.renew('w', [token], 10_000)).toEqual([{ token, state: 'kept' }]);
      expect(await store.progress(token, 0.5, 'half')).toBe(true);
      expect(await store.finish(token, success())).toBe('succeeded');
      expect(await everyId(store)).toEqual(waiting);
    } finally {
      await store.close();
      client.disconnect();
      await server.destroy();
    }
  });

  it('has memory again after ended jobs are removed', long, async () => {
    const server = await startRedis();
    const client = new Redis(server.url);
    let now = Date.UTC(2026, 0, 1);
    const store = await openRedisJobs(server.url, { namespace: 'full', clock: () => now });
    try {
      const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1]);
      await client.config('SET', 'maxmemory', used + 8 * 2 ** 20);
      const first = await fill(store);
      for (const id of first) await store.cancel(id, 'to free memory');
      now += 2 * 3_600_000;
      while ((await store.tick()) <= now);
      expect(await everyId(store)).toEqual([]);
      expect((await fill(store)).length).toBeGreaterThan(first.length / 2);
    } finally {
      await store.close();
      client.disconnect();
      await server.destroy();
    }
  });
});

describe.skipIf(redis.skip)('a Redis before version 7', () => {
  it('is refused with the missing feature and its version', async () => {
    // A current server, without the feature that an old one lacks.
    const server = await startRedis({ settings: ['--rename-command', 'FCALL', ''] });
    try {
      await expect(openRedisJobs(server.url, { namespace: 'x' })).rejects.toMatchObject({
        code: 'STORE_TOO_OLD',
        message: expect.stringMatching(/is \d+\.\d+\.\d+ and has no functions.*FCALL/) as string,
      });
    } finally {
      await server.destroy();
    }
  });
});
