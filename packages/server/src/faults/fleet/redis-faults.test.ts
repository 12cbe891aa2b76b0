/** Nodes whose Redis is slow or full: they serve on, refuse with a code what cannot be stored, and recover. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  answerOf,
  deployVersion,
  type FleetNode,
  startFleet,
  type TestFleet,
} from '../../testing/fleet.ts';
import { outcomeOf } from '../../testing/outcome.ts';
import { startTcpProxy, type TcpProxy } from '../../testing/tcp-proxy.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };
const LONG = { timeout: 180_000 };
/** Each way: what asks takes twice as long. */
const DELAY_MS = 1000;

let proxy: TcpProxy;
let fleet: TestFleet;
let node: FleetNode;
beforeAll(async () => {
  proxy = await startTcpProxy();
  fleet = await startFleet(1, (redis) => {
    proxy.target = Number(new URL(redis).port);
    return { redis: proxy.url.replace('http:', 'redis:') };
  });
  [node] = fleet.nodes as [FleetNode];
}, 60_000);
afterAll(async () => {
  if (proxy !== undefined) proxy.delayMs = 0;
  await fleet?.close();
  proxy?.close();
});

/** Sends a command to the server, past the proxy. @returns its answer. */
async function direct(...command: readonly string[]): Promise<string> {
  const run = promisify(execFile);
  return (await run('redis-cli', ['-u', fleet.redis.url, ...command])).stdout;
}

/** Requests one after another until it is stopped. @returns the answers that were not this one. */
function traffic(name: string, key: string, expected: string) {
  let running = true;
  let count = 0;
  const failures: string[] = [];
  const sending = (async () => {
    while (running) {
      const answer = await answerOf(node, name, key);
      if (answer !== expected) failures.push(answer);
      count += 1;
    }
  })();
  return {
    answered: () => count,
    async stop() {
      running = false;
      await sending;
      return failures;
    },
  };
}

const newKey = (label: string) =>
  node.client.createKey({ label, tenant: 't', scopes: ['infer'], ratePerSecond: 1e6 });
const isCurrent = () =>
  vi.waitFor(async () => {
    expect((await node.client.getNode()).store?.state).toBe('current');
  }, PATIENCE);

describe('a node whose Redis', () => {
  it(
    'takes seconds for each answer serves on, and changes nothing or reports it',
    LONG,
    async () => {
      await deployVersion(node, 'slow', 1);
      const [kept, given] = [await newKey('kept'), await newKey('given')];
      const sending = traffic('slow', kept.secret, '1');
      expect(await answerOf(node, 'slow', given.secret)).toBe('1');
      proxy.delayMs = DELAY_MS;
      await vi.waitFor(async () => {
        expect((await node.client.getNode()).store?.state).toBe('away');
      }, PATIENCE);

      const changes = [
        deployVersion(node, 'other', 1),
        node.client.changeSettings({ name: 'slow', settings: { maxQueue: 7 } }),
        node.client.createKey({ label: 'new', tenant: 't', scopes: ['infer'] }),
      ];
      for (const outcome of await Promise.all(changes.map(outcomeOf))) {
        expect(['succeeded', 'STORE_UNREACHABLE']).toContain(outcome);
      }
      // It is refused here whatever the store answers.
      const revoked = await outcomeOf(node.client.revokeKey({ id: given.id }));
      expect(['succeeded', 'REVOCATION_NOT_DURABLE']).toContain(revoked);
      expect(await answerOf(node, 'slow', given.secret)).toBe('KEY_INVALID');
      expect((await fetch(`${node.url}/v2/health/ready`)).status).toBe(200);
      const before = sending.answered();
      await expect.poll(sending.answered, PATIENCE).toBeGreaterThan(before + 20);

      proxy.delayMs = 0;
      await isCurrent();
      expect(await sending.stop()).toEqual([]);
      await vi.waitFor(async () => {
        expect(await node.client.getKey({ id: given.id })).toMatchObject({
          revokedAt: expect.any(String),
          durable: true,
        });
      }, PATIENCE);
      await deployVersion(node, 'slow', 2);
      expect(await answerOf(node, 'slow', kept.secret)).toBe('2');
    },
  );

  it(
    'is full serves on, refuses what makes it grow, and takes revocations and removals',
    LONG,
    async () => {
      await isCurrent();
      await deployVersion(node, 'full', 1);
      await deployVersion(node, 'removed', 1);
      const [kept, given] = [await newKey('kept'), await newKey('given')];
      const sending = traffic('full', kept.secret, '1');
      const used = Number(/used_memory:(\d+)/.exec(await direct('info', 'memory'))![1]);
      await direct('config', 'set', 'maxmemory-policy', 'noeviction');
      await direct('config', 'set', 'maxmemory', String(Math.floor(used / 2)));

      for (const change of [
        () => deployVersion(node, 'other', 1),
        () => node.client.changeSettings({ name: 'full', settings: { maxQueue: 7 } }),
        () => newKey('new'),
      ]) {
        expect(await outcomeOf(change())).toBe('STORAGE_FULL');
      }
      expect(await outcomeOf(node.client.revokeKey({ id: given.id }))).toBe('succeeded');
      expect(await answerOf(node, 'full', given.secret)).toBe('KEY_INVALID');
      expect(await outcomeOf(node.client.undeploy({ name: 'removed' }))).toBe('succeeded');
      expect(await answerOf(node, 'removed', kept.secret)).toBe('MODEL_UNKNOWN');
      const before = sending.answered();
      await expect.poll(sending.answered, PATIENCE).toBeGreaterThan(before + 20);
      expect((await node.client.getNode()).store?.state).toBe('current');

      await direct('config', 'set', 'maxmemory', '0');
      expect(await outcomeOf(newKey('new'))).toBe('succeeded');
      expect(await sending.stop()).toEqual([]);
      await deployVersion(node, 'full', 2);
      expect(await answerOf(node, 'full', kept.secret)).toBe('2');
    },
  );
});
