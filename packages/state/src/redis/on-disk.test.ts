/** Which writes wait for the disk of Redis, and on which servers. */
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import { openState } from '../open-state.ts';
import { deployment, modelVersion } from '../testing/every-state.ts';
import { STATE_FUNCTIONS } from './functions.ts';
import { connect } from './server/connection.ts';

const redis = requireComponent('redis');

async function waitsOf(
  settings: readonly string[],
  fsync: 'always' | 'everysec' | 'no',
): Promise<number> {
  const server = await startRedis({ fsync, settings });
  const client = new Redis(server.url);
  const state = await openState(server.url);
  try {
    await state.addVersion(modelVersion('m', 1));
    const names = Array.from({ length: 20 }, (_, index) => `d${index}`);
    const rows = await Promise.all(names.map((name) => state.putDeployment(deployment(name), 0)));
    expect(rows.map(({ revision }) => revision)).toEqual(names.map(() => 1));
    const stats = await client.info('commandstats');
    return Number(/cmdstat_waitaof:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  } finally {
    await state.close();
    client.disconnect();
    await server.destroy();
  }
}

it.skipIf(redis.skip)(
  'waits where the server syncs, once for writes that wait together',
  async () => {
    for (const fsync of ['always', 'everysec'] as const) {
      const waits = await waitsOf([], fsync);
      expect(waits).toBeGreaterThan(0);
      expect(waits).toBeLessThan(10);
    }
  },
);

it.skipIf(redis.skip)('does not wait where nothing is synced, or Redis cannot wait', async () => {
  expect(await waitsOf([], 'no')).toBe(0);
  expect(await waitsOf(['--appendonly', 'no'], 'always')).toBe(0);
  // Without the right to read settings, and on a version that does not know the command.
  const old = ['--rename-command', 'CONFIG', '', '--rename-command', 'WAITAOF', ''];
  expect(await waitsOf(old, 'always')).toBe(0);
  const managed = ['--rename-command', 'CONFIG', ''];
  expect(await waitsOf(managed, 'always')).toBeGreaterThan(0);
  expect(await waitsOf([...managed, '--appendonly', 'no'], 'always')).toBeGreaterThan(0);
});

it.skipIf(redis.skip)('is one library of functions for each version of Skein', async () => {
  const server = await startRedis();
  const state = await openState(server.url);
  const prefix = 'skein:{fleet}:state:';
  const constants = { ...STATE_FUNCTIONS.constants, CHANGES_KEPT: 77 };
  const next = connect(server.url, prefix, { ...STATE_FUNCTIONS, constants });
  try {
    const [epoch] = (await next.run('position', () => ['', 'id', 0, 0, ''])) as [string];
    expect(epoch).toBe((await state.position()).epoch);
    await state.putDeployment(deployment('d'), 0);
    const rows = (await next.run('deployments', () => ['', 'id', 0, 0, ''])) as string[];
    expect(rows[0]).toBe('d');
    expect(await next.redis.function('LIST')).toHaveLength(2);
  } finally {
    await next.close();
    await state.close();
    await server.destroy();
  }
});
