/** Nodes of a fleet over a real Redis: a change on one reaches all of them; and they serve on while it is away. */
import { mkdir, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  answerOf,
  deployVersion,
  type FleetNode,
  startFleet,
  type TestFleet,
} from '../../testing/fleet.ts';
import { outcomeOf } from '../../testing/outcome.ts';

const JOB = { name: 'waits', work: { kind: 'command' as const, argv: ['true'] } };
const PATIENCE = { timeout: 15_000, interval: 20 };

let fleet: TestFleet;
let a: FleetNode;
let b: FleetNode;
beforeAll(async () => {
  fleet = await startFleet(2);
  [a, b] = fleet.nodes as [FleetNode, FleetNode];
}, 60_000);
afterAll(() => fleet?.close());

const answers = (node: FleetNode, name: string, expected: string, key = fleet.key) =>
  vi.waitFor(async () => expect(await answerOf(node, name, key)).toBe(expected), PATIENCE);

describe('a fleet', () => {
  it('serves on every node what is deployed, changed, unloaded and removed on any', async () => {
    await deployVersion(a, 'risk', 1);
    await answers(b, 'risk', '1');
    await deployVersion(b, 'risk', 2);
    await answers(a, 'risk', '2');
    await a.client.changeSettings({ name: 'risk', settings: { maxQueue: 7 } });
    await vi.waitFor(async () => {
      const { settings } = await b.client.getDeployment({ name: 'risk' });
      expect(settings.maxQueue).toBe(7);
    }, PATIENCE);
    await b.client.rollback({ name: 'risk', reason: 'worse' });
    await vi.waitFor(async () => {
      const [one, two] = await Promise.all(
        [a, b].map((node) => node.client.getDeployment({ name: 'risk' })),
      );
      expect(one!.revision).toBe(two!.revision);
    }, PATIENCE);
    await a.client.undeploy({ name: 'risk' });
    await answers(b, 'risk', 'MODEL_UNKNOWN');
    // The change is in the history of every node.
    const { entries } = await b.client.listHistory({ limit: 50 });
    expect(entries.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['deployed', 'rollout-finished', 'settings-changed', 'undeployed']),
    );
  });

  it('admits a new key everywhere, and refuses a revoked one everywhere, streams included', async () => {
    await deployVersion(a, 'keyed', 1);
    await answers(b, 'keyed', '1');
    const { id, secret } = await a.client.createKey({
      label: 'l',
      tenant: 't',
      scopes: ['infer', 'read'],
    });
    await answers(b, 'keyed', '1', secret);
    const stream = await fetch(`${b.url}/api/v1/events`, {
      headers: { authorization: `Bearer ${secret}` },
    });
    const ended = stream.text();
    await a.client.revokeKey({ id });
    await answers(b, 'keyed', 'KEY_INVALID', secret);
    expect(await ended).toMatch(/event: error\n.*KEY_INVALID/s);
  });

  it('serves on while the store is away, and refuses changes, with a node that starts meanwhile', async () => {
    await deployVersion(a, 'away', 1);
    await answers(b, 'away', '1');
    const { secret } = await a.client.createKey({ label: 'l', tenant: 't', scopes: ['infer'] });
    await answers(b, 'away', '1', secret);
    await fleet.redis.kill();
    const failures: string[] = [];
    const traffic = new AbortController();
    const sending = send(traffic.signal, failures, 'away', secret);
    const standing = (node: FleetNode, state: string) =>
      vi.waitFor(async () => {
        expect((await node.client.getNode()).store?.state).toBe(state);
      }, PATIENCE);
    await Promise.all([standing(a, 'away'), standing(b, 'away')]);
    expect(await outcomeOf(deployVersion(a, 'other', 1))).toBe('STORE_UNREACHABLE');
    expect(await outcomeOf(b.client.undeploy({ name: 'away' }))).toBe('STORE_UNREACHABLE');
    expect(
      await outcomeOf(b.client.changeSettings({ name: 'away', settings: { maxQueue: 1 } })),
    ).toBe('STORE_UNREACHABLE');
    // A key that no node has seen: the store may know it.
    const unknown = `skein_0123456789ab_${'A'.repeat(43)}`;
    expect(await answerOf(a, 'away', unknown)).toBe('STORE_UNREACHABLE');
    expect((await fetch(`${a.url}/v2/health/ready`)).status).toBe(200);

    await b.stop();
    await b.start();
    expect(await answerOf(b, 'away', secret)).toBe('1');
    expect((await b.client.getNode()).store?.state).toBe('away');
    expect((await fetch(`${b.url}/v2/health/accepting`)).status).toBe(200);

    await fleet.redis.start();
    await Promise.all([standing(a, 'current'), standing(b, 'current')]);
    traffic.abort();
    await sending;
    expect(failures).toEqual([]);
    await deployVersion(a, 'away', 2);
    await answers(b, 'away', '2');
  });

  it('does not follow a store that was emptied, until the operator adopts it', async () => {
    await deployVersion(a, 'kept', 1);
    await answers(b, 'kept', '1');
    await fleet.redis.kill();
    await rm(fleet.redis.folder, { recursive: true });
    await mkdir(fleet.redis.folder);
    await fleet.redis.start();
    for (const node of [a, b]) {
      await vi.waitFor(async () => {
        expect((await node.client.getNode()).store).toMatchObject({
          state: 'frozen',
          reason: expect.stringMatching(/not those that this node has read|epoch/),
        });
      }, PATIENCE);
      expect(await answerOf(node, 'kept', fleet.key)).toBe('1');
      expect(await outcomeOf(node.client.undeploy({ name: 'kept' }))).toBe('STORE_REPLACED');
      expect(await outcomeOf(node.client.enqueueJobs({ jobs: [JOB] }))).toBe('STORE_REPLACED');
    }
    const metrics = await (await fetch(`${a.url}/metrics`, auth())).text();
    expect(metrics).toContain('skein_store_standing{state="frozen"} 1');
    // The empty store has no key: the administrator adopts it on a node that holds theirs.
    const { store } = await a.client.adoptStore();
    expect(store?.state).toBe('current');
    await answers(a, 'kept', 'KEY_INVALID');
    expect((await b.client.getNode()).store?.state).toBe('frozen');
    expect(await outcomeOf(b.client.enqueueJobs({ jobs: [JOB] }))).toBe('STORE_REPLACED');
  });
});

const auth = () => ({ headers: { authorization: `Bearer ${fleet.key}` } });

/** Requests to node A, one after another. */
async function send(
  signal: AbortSignal,
  failures: string[],
  name: string,
  key: string,
): Promise<void> {
  while (!signal.aborted) {
    const answer = await answerOf(a, name, key);
    if (answer !== '1') failures.push(answer);
  }
}
