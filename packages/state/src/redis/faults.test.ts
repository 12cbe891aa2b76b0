/**
 * The shared state while Redis is killed, emptied, restored from an older copy or cut off. A few
 * rounds by default; SKEIN_FULL=1 is the full proof.
 */
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { roundsOf } from '../../../jobs/src/faults/testing/fault-size.ts';
import { startRedis, type TestRedis } from '../../../jobs/src/store/testing/redis-server.ts';
import type { StateChange } from '../changes/changes.ts';
import type { State } from '../contract.ts';
import { openState } from '../open-state.ts';
import { sampleRun } from '../runs/testing/sample-run.ts';
import { cuttingProxy } from '../testing/cutting-proxy.ts';
import { code, deployment, memberInfo, modelVersion } from '../testing/every-state.ts';

const redis = requireComponent('redis');
const ROOT = join(import.meta.dirname, '../../../..');
const ROUNDS = roundsOf(4);
const long = { timeout: 60_000 + ROUNDS * 5000 };

let server: TestRedis;
let opened: State[];
let client: Redis;
beforeEach(async (context) => {
  if (redis.skip) return context.skip();
  server = await startRedis();
  client = new Redis(server.url);
  client.on('error', () => {});
  opened = [];
});
afterEach(async () => {
  client?.disconnect();
  await Promise.all((opened ?? []).map((state) => state.close()));
  await server?.destroy();
});
async function open(url = server.url): Promise<State> {
  const state = await openState(url);
  opened.push(state);
  return state;
}

/** Follows the feed until it is stopped. */
function follow(state: State, after: string) {
  const seen: StateChange[] = [];
  const stop = new AbortController();
  const ended = (async () => {
    for await (const page of state.changes(after, stop.signal)) seen.push(...page);
  })();
  ended.catch(() => {});
  return { seen, ended, stop: () => stop.abort() };
}

/** Tries again until the store answers; the write may have happened each time. */
async function insist<T>(write: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if ((error as { code?: string }).code !== 'STORE_UNREACHABLE') throw error;
    }
  }
}

describe('a Redis that is killed and started again', () => {
  it('has every acknowledged write, and readers of the feed continue', long, async () => {
    const writer = await open();
    const reader = await open();
    const following = follow(reader, (await reader.position()).cursor);
    const acknowledged: number[] = [];
    let running = true;
    const writing = (async () => {
      for (let revision = 0; running;) {
        const row = await writer.putDeployment(deployment('d'), revision).catch(() => undefined);
        if (row !== undefined) acknowledged.push(row.revision);
        revision = row?.revision ?? (await insist(() => writer.deployment('d')))?.revision ?? 0;
      }
    })();
    for (let round = 1; round <= ROUNDS; round += 1) {
      const before = acknowledged.length;
      await expect.poll(() => acknowledged.length, long).toBeGreaterThan(before + 20);
      await server.kill();
      await server.start();
    }
    running = false;
    await writing;

    const last = (await reader.deployment('d'))!.revision;
    expect(last).toBeGreaterThanOrEqual(acknowledged.at(-1)!);
    // Each revision once, acknowledged or not, in its order.
    await expect.poll(() => following.seen.at(-1)?.revision, long).toBe(last);
    const revisions = following.seen.map(({ revision }) => revision!);
    expect(revisions).toEqual(Array.from({ length: last }, (_, index) => index + 1));
    expect(revisions).toEqual(expect.arrayContaining(acknowledged.slice(-1000)));
    following.stop();
    await following.ended;
  });

  it('refuses calls with their code meanwhile, and leaves readers waiting', long, async () => {
    const state = await open();
    const membership = await state.members.join(memberInfo('a'), 60_000);
    const following = follow(state, (await state.position()).cursor);
    await server.kill();
    const refused = expect.objectContaining({ code: 'STORE_UNREACHABLE', retryAfterMs: 1000 });
    await Promise.all([
      expect(state.putDeployment(deployment('d'), 0)).rejects.toEqual(refused),
      expect(state.keys()).rejects.toEqual(refused),
      expect(membership.renew(memberInfo('a'))).rejects.toEqual(refused),
    ]);
    await server.start();
    expect(await insist(() => membership.renew(memberInfo('a')))).toBe(true);
    await state.putDeployment(deployment('d'), 0);
    await expect.poll(() => following.seen, long).toMatchObject([{ kind: 'deployment', id: 'd' }]);
    following.stop();
  });

  it('makes an error report whether the change may still happen', long, async () => {
    const state = await open();
    await client.client('PAUSE', 60_000, 'ALL');
    const key = { id: 'k', secretHash: '', label: '', tenant: '', scopes: [], createdAt: '' };
    const change = state.addKey(key);
    const reading = state.keys();
    const outcomes = Promise.allSettled([change, reading]);
    await server.kill();
    const [changed, read] = await outcomes;
    expect(changed).toMatchObject({
      reason: { code: 'STORE_UNREACHABLE', message: expect.stringMatching(/may still happen\.$/) },
    });
    expect(read).toMatchObject({
      reason: { message: expect.not.stringContaining('may still happen') },
    });
    // Without a connection nothing is sent.
    await expect(state.addKey(key)).rejects.toMatchObject({
      message: expect.not.stringContaining('may still happen'),
    });
  });

  it(
    'names the right that its user lacks, and works with the rights of the guide',
    long,
    async () => {
      const guide = await readFile(join(ROOT, 'docs/guide/fleet.md'), 'utf8');
      const [, rights = ''] = /ACL SETUSER skein on >PASSWORD (.*)/.exec(guide) ?? [];
      expect(rights).not.toBe('');
      const user = async (name: string, ...more: string[]): Promise<string> => {
        await client.call('ACL', 'SETUSER', name, 'on', '>pw', ...rights.split(' '), ...more);
        return server.url.replace('redis://', `redis://${name}:pw@`);
      };
      for (const [name, right, command] of [
        ['load', '-function|load', "'function|load'"],
        ['call', '-fcall', "'fcall'"],
      ] as const) {
        await expect(open(await user(name, right))).rejects.toMatchObject({
          code: 'STORE_DENIED',
          message: expect.stringContaining(command) as string,
        });
      }
      const state = await open(await user('guide'));
      await state.putDeployment(deployment('d'), 0);
      expect(await state.deployments()).toHaveLength(1);
    },
  );

  it('reports that it may not be written, and is not asked without a pause', long, async () => {
    const state = await open();
    await client.replicaof('127.0.0.1', '1');
    const key = { id: 'k', secretHash: '', label: '', tenant: '', scopes: [], createdAt: '' };
    const error: unknown = await state.addKey(key).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/ cannot be used: READONLY .*replica\.$/) as string,
    });
    expect((error as Error).message).not.toContain('may still happen');
    const [, refused] =
      /errorstat_READONLY:count=(\d+)/.exec(await client.info('errorstats')) ?? [];
    expect(Number(refused)).toBeLessThan(100);
    await client.replicaof('NO', 'ONE');
    await state.addKey(key);
  });
});

describe('a connection that is cut', () => {
  it('does not make a write twice whose answer was lost', long, async () => {
    const proxy = await cuttingProxy(server.port, 7);
    const state = await open(proxy.url);
    const count = ROUNDS * 10;
    const entry = { deployment: 'd', kind: 'scaled', reason: '', details: {}, actor: '' } as const;
    const key = { secretHash: '', label: '', tenant: '', scopes: [], createdAt: '' };
    const audited = { actor: '', action: 'a', subject: '', outcome: 'ok', remote: '' };
    const endsAt = Date.now() + 86_400_000;
    const budget = { budget: 'all', limit: 1000, wanted: 3, least: 3, endsAt };
    const bounds = { count: 10, bytes: 1000, endsAt };
    for (let turn = 0; turn < count; turn += 1) {
      const row = await state.putDeployment(deployment('d'), turn);
      expect(row.revision).toBe(turn + 1);
      await state.addHistory(entry);
      await state.addKey({ ...key, id: `k${turn}` });
      await state.addAudit(audited);
      expect(await state.budgets.takeBudget(budget)).toBe(3);
      await state.budgets.giveBackBudget('all', 1);
      await state.putRun(sampleRun('r'));
      expect(await state.removeRun('r')).toBe(true);
      await state.responses.putResponse('a', { id: 'one', value: '{}' }, bounds);
      expect(await state.responses.removeResponse('a', 'one')).toBe(true);
    }
    expect(await state.budgets.takenBudget('all')).toBe(2 * count);
    expect(await state.audit(1000)).toHaveLength(count);
    expect(await state.history({ limit: 1000 })).toHaveLength(Math.min(count, 1000));
    expect((await state.keys()).map(({ id }) => id)).toEqual(
      Array.from({ length: count }, (_, turn) => `k${turn}`),
    );
    proxy.close();
  });
});

describe('a Redis with other contents than before', () => {
  it('that was emptied is refused by connections that know its contents', long, async () => {
    const state = await open();
    const before = await state.position();
    await state.addKey({
      id: 'k',
      secretHash: '',
      label: '',
      tenant: '',
      scopes: [],
      createdAt: '',
    });
    const following = follow(state, before.cursor);
    await expect.poll(() => following.seen, long).toHaveLength(1);
    await client.flushall();
    await expect(following.ended).rejects.toEqual(code('STORE_REPLACED'));
    // It would look like a fleet without keys.
    await expect(state.keys()).rejects.toEqual(code('STORE_REPLACED'));
    await expect(state.putDeployment(deployment('d'), 0)).rejects.toEqual(code('STORE_REPLACED'));
    const restarted = await open();
    const after = await restarted.position();
    expect(after.epoch).not.toBe(before.epoch);
    expect((await state.position()).epoch).toBe(after.epoch);
    expect(await restarted.keys()).toEqual([]);
    await expect(state.keys()).rejects.toEqual(code('STORE_REPLACED'));
  });

  it.each([0, 3])(
    'that was restored from a copy is refused by readers that have seen more, after %i more writes',
    long,
    async (more) => {
      const state = await open();
      await state.addVersion(modelVersion('m', 1));
      const { cursor } = await state.position();
      await server.kill();
      await cp(server.folder, `${server.folder}-copy`, { recursive: true });
      await server.start();
      await insist(() => state.addVersion(modelVersion('m', 2)));
      await state.addVersion(modelVersion('m', 3));
      const seen = await state.position();

      await server.kill();
      await rm(server.folder, { recursive: true });
      await cp(`${server.folder}-copy`, server.folder, { recursive: true });
      await rm(`${server.folder}-copy`, { recursive: true });
      await server.start();
      for (let seed = 0; seed < more; seed += 1) {
        await insist(() => state.addVersion(modelVersion('other', seed)));
      }
      // The reader of what is there still, and of what is gone.
      const valid = follow(state, cursor);
      await expect.poll(() => valid.seen, long).toHaveLength(more);
      valid.stop();
      await expect(follow(state, seen.cursor).ended).rejects.toEqual(code('STORE_REPLACED'));
    },
  );
});

describe('a Redis whose memory is used up', () => {
  it(
    'refuses what makes it grow, and keeps members, leases and revocations working',
    long,
    async () => {
      const state = await open();
      const key = { secretHash: '', label: '', tenant: '', scopes: [], createdAt: '' };
      await state.addKey({ ...key, id: 'k' });
      await state.putDeployment(deployment('d'), 0);
      const membership = await state.members.join(memberInfo('a'), 60_000);
      const lease = (await state.leases.acquire('l', 'a', 60_000))!;
      const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1]);
      await client.config('SET', 'maxmemory', used - 1000);

      const full = code('STORAGE_FULL');
      await expect(state.putDeployment(deployment('e'), 0)).rejects.toEqual(full);
      await expect(state.addKey({ ...key, id: 'l' })).rejects.toEqual(full);
      await expect(state.addVersion(modelVersion('m', 1))).rejects.toEqual(full);
      expect(await membership.renew(memberInfo('a'))).toBe(true);
      expect(await lease.renew()).toBe(true);
      expect(await state.revokeKey('k', '2026-01-01T00:00:00.000Z')).toBe(true);
      await state.removeDeployment('d');
      expect(await state.tombstones()).toEqual([{ name: 'd', revision: 2 }]);
      expect(await (await open()).keys()).toMatchObject([{ id: 'k' }]);
    },
  );
});

it('refuses a record of another process that would hold the event loop', async () => {
  const state = await open();
  const { id } = await state.putRun(sampleRun('a'));
  const key = (await client.keys(`*run:${id}`))[0]!;
  await client.hset(key, 'epochs', `[${'{},'.repeat(200_000)}{}]`);
  await expect(state.run(id)).rejects.toThrow('more than 250000 values');
  await client.hset(key, 'epochs', `["${'x'.repeat(2 ** 23)}"]`);
  await expect(state.run(id)).rejects.toThrow('more than 8388608 bytes');
});
