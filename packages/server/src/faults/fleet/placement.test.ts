/** A fleet whose members together, and none alone, have the memory for all of its models. */
import { SkeinError } from '@skein/api';
import { afterEach, describe, expect, test } from 'vitest';
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
/** Three models, and no fourth one. */
const BUDGET = 3.4 * COPY;
const PATIENT = { timeout: 60_000 };

let fleet: TestFleet | undefined;
afterEach(async () => {
  await fleet?.close();
  fleet = undefined;
});

const start = (count: number, modelMemoryBytes = BUDGET) =>
  startFleet(count, { fleetKey: '0123456789abcdef0123456789abcdef', modelMemoryBytes });

/** The names that each member holds, as one of them shows it. */
async function held({ client }: FleetNode): Promise<string[][]> {
  const { members } = await client.getFleet();
  return members.map(({ loaded }) => loaded.map(({ model }) => model).sort());
}

const statusOf = async ({ client }: FleetNode, name: string): Promise<string> =>
  (await client.getDeployment({ name })).status;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'succeeded';
  } catch (error) {
    return error instanceof SkeinError ? `${error.code} ${error.message}` : String(error);
  }
}

describe('two members with memory for three models each', { timeout: 180_000 }, () => {
  test('hold four between them, answer for each other, and refuse what fits on neither', async () => {
    fleet = await start(2);
    const { key, nodes } = fleet;
    const [a, b] = nodes as [FleetNode, FleetNode];
    const names = ['one', 'two', 'three', 'four'];
    for (const [i, name] of names.entries())
      await deployVersion(nodes[i % 2]!, name, i, IN_PROCESS);
    const isSettled = async (): Promise<boolean> => {
      const all = await held(a);
      const isHeld = names.every((name) => all.some((each) => each.includes(name)));
      return isHeld && all.every(({ length }) => length >= 2 && length <= 3);
    };
    await expect.poll(isSettled, PATIENT).toBe(true);
    for (const node of [a, b]) {
      for (const name of names) {
        await expect.poll(() => answerOf(node, name, key), PATIENT).toBe('1');
      }
      const { members } = await node.client.getFleet();
      for (const { memory } of members) expect(memory!.heldBytes).toBeLessThanOrEqual(BUDGET);
    }
    const page = await fetch(`${a.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
    expect(await page.text()).toMatch(/^skein_model_least_recent_seconds [\d.]+$/m);

    const statuses = await Promise.all(
      nodes.flatMap((node) => names.map((name) => statusOf(node, name))),
    );
    expect(statuses).toContain('elsewhere');

    // A change is carried out by the member that holds the deployment, whichever one is asked.
    const second = await deployVersion(a, 'one', 11, IN_PROCESS);
    for (const node of [a, b]) {
      await expect.poll(() => answerOf(node, 'one', key), PATIENT).toBe(second);
    }
    // While a copy moves, its member refuses other changes.
    const changed = () =>
      codeOf(b.client.changeSettings({ name: 'one', settings: { maxQueue: 7 } }));
    await expect
      .poll(async () => (await changed()).replace(/^ROLLOUT_IN_PROGRESS .*/, 'moves'), PATIENT)
      .toBe('succeeded');
    await expect
      .poll(async () => (await a.client.getDeployment({ name: 'one' })).settings.maxQueue, PATIENT)
      .toBe(7);

    const outcome = await codeOf(
      deployVersion(b, 'five', 5, { ...IN_PROCESS, replicas: { min: 4, max: 4 } }),
    );
    expect(outcome).toMatch(/^FLEET_MEMORY .*takes 256 MiB .*largest member has 218 MiB/);
    expect(await answerOf(a, 'five', key)).toBe('MODEL_UNKNOWN');
    // The deployments next to the refused one are still answered, after the moves for a change.
    for (const name of names) {
      await expect.poll(() => answerOf(b, name, key), PATIENT).toBe(name === 'one' ? second : '1');
    }
  });
});
