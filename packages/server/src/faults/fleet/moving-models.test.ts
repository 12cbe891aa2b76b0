/** Models that move between members, while all of them are asked for all models. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Peer } from '@skein/fleet';
import { bodyBudget } from '@skein/http';
import { tensor } from '@skein/onnx';
import { type Member, openState } from '@skein/state';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { memberInfo } from '../../fleet/testing/member-info.ts';
import {
  answerOf,
  deployVersion,
  type FleetNode,
  IN_PROCESS,
  startFleet,
  type TestFleet,
} from '../../testing/fleet.ts';

const MIB = 2 ** 20;
/** Memory of a small model in a process of its own: the process needs it in addition to its weights. */
const COPY = 64 * MIB;
/** Three models on each, and no fourth one. */
const BUDGET = 3.4 * COPY;
const FLEET_KEY = '0123456789abcdef0123456789abcdef';
const ROUNDS = 2;
const PATIENT = { timeout: 60_000 };

let fleet: TestFleet | undefined;
let stop: AbortController;
let asking: Promise<void>[];
beforeEach(() => {
  stop = new AbortController();
  asking = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(asking);
  await fleet?.close();
  fleet = undefined;
});

/** Watches as a node that takes part in nothing: it reads the members' records, and renews when the test calls it. */
async function watch({ redis }: TestFleet) {
  const state = await openState(redis.url);
  const info = { ...memberInfo('watcher'), address: '', memoryBytes: 0 };
  const membership = await state.members.join(info, 120_000);
  return {
    members: () => state.members.list(),
    renew: () => membership.renew(info),
    async close() {
      await membership.leave();
      await state.close();
    },
  };
}

const holds = ({ loaded }: Member, name: string): boolean =>
  loaded.some(({ model }) => model === name);

/** Asks a member as another one does, which has read that it holds the deployment. */
async function askAsMember(peer: Peer, deployment: string): Promise<string> {
  const x = tensor('float32', [1, 4], Float32Array.of(1, 2, 3, 4));
  const outcome = await peer.forward(
    {
      id: 'asked',
      deployment,
      inputs: new Map([['x', x]]),
      arrivedAt: performance.now(),
      priority: 0,
      tenant: 'default',
      protocol: 'internal',
    },
    performance.now() + PATIENT.timeout,
  );
  if ('answer' in outcome) return 'answered';
  return 'error' in outcome ? outcome.error.code : 'lost';
}

describe('two members with memory for three models each', { timeout: 240_000 }, () => {
  test('give no copy up before every other member has read of it, and answer until then', async () => {
    fleet = await startFleet(2, { fleetKey: FLEET_KEY, modelMemoryBytes: BUDGET });
    const { nodes } = fleet;
    const names = ['one', 'two', 'three'];
    for (const [i, name] of names.entries())
      await deployVersion(nodes[i % 2]!, name, i, IN_PROCESS);
    const watcher = await watch(fleet);
    const nodesOf = async (): Promise<Member[]> =>
      (await watcher.members()).filter(({ address }) => address !== '');
    await expect
      .poll(async () => (await nodesOf()).flatMap(({ loaded }) => loaded).length, PATIENT)
      .toBe(6);
    await watcher.renew();
    let guest: Promise<unknown> | undefined;
    let peer: Peer | undefined;
    try {
      // Its copies need the memory of others; the watcher is not notified that they go.
      guest = deployVersion(nodes[0]!, 'guest', 7, IN_PROCESS);
      guest.catch(() => {});
      let leaving: { readonly member: Member; readonly name: string } | undefined;
      const find = async (): Promise<boolean> => {
        for (const member of await nodesOf()) {
          const name = names.find((each) => !holds(member, each));
          if (name !== undefined) leaving = { member, name };
        }
        return leaving !== undefined;
      };
      await expect.poll(find, { ...PATIENT, interval: 20 }).toBe(true);
      const { member, name } = leaving!;
      peer = new Peer(member.address, {
        key: FLEET_KEY,
        clock: performance,
        random: Math.random,
        maxBytes: 1e6,
        budget: bodyBudget(1e6),
      });
      const link = peer;
      for (let i = 0; i < 20; i++) expect(await askAsMember(link, name)).toBe('answered');
      // Once the watcher has read it, the copy goes.
      const refused = async (): Promise<string> => {
        await watcher.renew();
        return askAsMember(link, name);
      };
      await expect.poll(refused, PATIENT).toBe('NO_REPLICA');
    } finally {
      peer?.close();
      const renewing = setInterval(() => void watcher.renew().catch(() => {}), 200);
      await guest?.catch(() => {});
      clearInterval(renewing);
      await watcher.close();
    }
  });

  test('answer every request while copies move between them', async () => {
    fleet = await startFleet(2, {
      fleetKey: FLEET_KEY,
      modelMemoryBytes: BUDGET,
    });
    const { key, nodes } = fleet;
    const outcomes: string[] = [];
    /** From the moment on at which both members answer for it. */
    const stream = async (node: FleetNode, name: string): Promise<void> => {
      await expect.poll(() => answerOf(node, name, key), PATIENT).toMatch(/^\d+$/);
      asking.push(
        (async () => {
          while (!stop.signal.aborted) {
            outcomes.push(`${name} ${await answerOf(node, name, key)}`);
            // The cores are for what loads.
            await sleep(10);
          }
        })(),
      );
    };
    const names = ['one', 'two', 'three'];
    const held = async (): Promise<number> => {
      const { members } = await nodes[0]!.client.getFleet();
      return members.flatMap(({ loaded }) => loaded).length;
    };
    for (const [i, name] of names.entries())
      await deployVersion(nodes[i % 2]!, name, i, IN_PROCESS);
    await expect.poll(held, PATIENT).toBe(6);
    for (const node of nodes) for (const name of names) await stream(node, name);
    for (let round = 0; round < ROUNDS; round++) {
      // Its copies take the memory of other ones, which are loaded again when it goes.
      const at = nodes[round % 2]!;
      await deployVersion(at, 'guest', round, IN_PROCESS);
      for (const node of nodes) {
        await expect.poll(() => answerOf(node, 'guest', key), PATIENT).toMatch(/^\d+$/);
      }
      await at.client.undeploy({ name: 'guest' });
      await expect.poll(held, PATIENT).toBe(6);
    }
    stop.abort();
    await Promise.all(asking);
    expect(outcomes.length).toBeGreaterThan(100);
    expect(outcomes.filter((outcome) => !outcome.endsWith(' 1'))).toEqual([]);
  });
});
