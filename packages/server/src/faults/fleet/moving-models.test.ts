/** Models that move between members, while all of them are asked for all models. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  answerOf,
  deployVersion,
  type FleetNode,
  IN_PROCESS,
  startFleet,
  type TestFleet,
} from '../../testing/fleet.ts';

const MIB = 2 ** 20;
/** Of a small model in a process of its own: what the process needs besides its weights. */
const COPY = 64 * MIB;
/** Three models on each, and no fourth one. */
const BUDGET = 3.4 * COPY;
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

describe('two members with memory for three models each', { timeout: 240_000 }, () => {
  test('answer every request while copies move between them', async () => {
    fleet = await startFleet(2, {
      fleetKey: '0123456789abcdef0123456789abcdef',
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
      // Its copies take the room of others, which come back when it goes.
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
