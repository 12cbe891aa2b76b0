/** Duties of rows in Redis that SQLite has built in: lost answers, waits for its disk, and the remains of a partition. */
import { execFileSync } from 'node:child_process';
import { expect, it, onTestFinished } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { startRedis } from '../../../../jobs/src/store/testing/redis-server.ts';
import { cuttingProxy } from '../../../../state/src/testing/cutting-proxy.ts';
import type { Change } from '../rows.ts';
import { openRedisRows } from './redis-rows.ts';

const redis = requireComponent('redis');
const change = (value: string, survives: Change['survives'] = 'crash'): Change => ({
  put: new Map([['k', value]]),
  survives,
});

async function started(fsync: 'always' | 'no' = 'no') {
  const server = await startRedis({ fsync });
  onTestFinished(() => server.destroy());
  /** The reply of Redis to a command. */
  const reply = (...command: string[]): string =>
    execFileSync('redis-cli', ['-u', server.url, ...command], { encoding: 'utf8' });
  const open = async (url = server.url) => {
    const rows = await openRedisRows(url, 'test');
    onTestFinished(() => rows.close());
    return rows;
  };
  return { server, reply, open };
}

it.skipIf(redis.skip)('writes once what was sent again because its answer was lost', async () => {
  const { server, open } = await started();
  const proxy = await cuttingProxy(server.port, 3);
  onTestFinished(() => proxy.close());
  const rows = await open(proxy.url);
  for (let version = 0; version < 20; version += 1) {
    expect([version, await rows.commit('p', version, change(`${version}`))]).toEqual([
      version,
      true,
    ]);
  }
  expect(await (await open()).get('p', ['k'])).toEqual({ version: 20, values: ['19'] });
});

it.skipIf(redis.skip)('waits for the disk where a write has to survive a power cut', async () => {
  const { reply, open } = await started('always');
  const rows = await open();
  const waits = (): number =>
    Number(/cmdstat_waitaof:calls=(\d+)/.exec(reply('info', 'commandstats'))?.[1] ?? 0);
  expect(await rows.commit('p', 0, change('a'))).toBe(true);
  expect(waits()).toBe(0);
  expect(await rows.commit('p', 1, change('b', 'power-cut'))).toBe(true);
  expect(waits()).toBe(1);
  expect(await rows.drop('p')).toBe(true);
  expect(waits()).toBe(2);
});

it.skipIf(redis.skip)('leaves nothing of a partition that was dropped', async () => {
  const { reply, open } = await started();
  const rows = await open();
  for (const partition of ['p', 'q']) await rows.commit(partition, 0, change(partition));
  expect(await rows.drop('p')).toBe(true);
  expect(await rows.drop('p')).toBe(false);
  // A writer that had read it before.
  expect(await rows.commit('p', 1, change('late'))).toBe(false);
  expect(await rows.get('q', ['k'])).toEqual({ version: 1, values: ['q'] });
  expect(await rows.drop('q')).toBe(true);
  expect(reply('keys', '*').trim()).toBe('');
});
