/** A deployment without a replica anywhere, in a fleet of processes: a request to any member wakes it. */
import { mlp } from '@skein/onnx';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerOf } from '../../testing/fleet.ts';
import type { NodeProcess } from '../../testing/node-process.ts';
import { openSlowFleet, PATIENT, type SlowFleet } from '../../testing/slow-fleet.ts';

/** A part of the time that a cold start takes here: too little for one, and enough for a refusal on a busy machine. */
const IMPATIENT = 0.25;
const PATIENT_MS = 60_000;
const REFUSED = ['NO_REPLICA', 'DEADLINE_UNREACHABLE'];

let fleet: SlowFleet;
beforeEach(async () => {
  fleet = await openSlowFleet();
});
afterEach(() => fleet.close());

const ask = (node: NodeProcess, timeoutMs: number): Promise<string> =>
  answerOf(node, 'risk', undefined, { 'skein-timeout-ms': String(timeoutMs) });

async function replicasOf({ client }: NodeProcess): Promise<number> {
  const { targets } = await client.getDeployment({ name: 'risk' });
  return targets.reduce((sum, { replicas }) => sum + replicas.length, 0);
}

test('three members, one without memory for it: each of them wakes it, and counts the cold start', async () => {
  const [a, b] = [await fleet.start(), await fleet.start()];
  const c = await fleet.start({ args: ['--model-memory', '1MiB'] });
  await a.deploy('risk', mlp({ sizes: [4, 8, 3], seed: 1 }), {
    objective: { latencyMs: PATIENT_MS },
    replicas: { min: 0, max: 1, idleMs: 1000 },
    isolation: 'process',
  });
  const holders = [a, b];
  const awake = async (): Promise<number> =>
    (await Promise.all(holders.map(replicasOf))).reduce((sum, each) => sum + each, 0);
  await expect.poll(() => ask(c, PATIENT_MS), PATIENT).toBe('1');
  // It may know the member that holds a deployment before the deployment.
  await expect
    .poll(async () => (await c.client.getDeployment({ name: 'risk' })).status, PATIENT)
    .toBe('elsewhere');
  // The third one has read of both holders, so that it asks both.
  await expect
    .poll(async () => {
      const { members } = await c.client.getFleet();
      return members.filter(({ loaded }) => loaded.length > 0).length;
    }, PATIENT)
    .toBe(2);

  for (const member of [c, a, b]) {
    const askCold = async (timeoutMs: number): Promise<string> => {
      await expect.poll(awake, PATIENT).toBe(0);
      return ask(member, timeoutMs);
    };
    await expect.poll(awake, PATIENT).toBe(0);
    const begun = performance.now();
    expect(await ask(member, PATIENT_MS)).toBe('1');
    const impatientMs = Math.ceil(IMPATIENT * (performance.now() - begun));
    // It cannot be in time, and starts a replica for those that follow.
    await expect
      .poll(async () => REFUSED.includes(await askCold(impatientMs)) && (await awake()) > 0, {
        timeout: 120_000,
      })
      .toBe(true);
    expect(await askCold(PATIENT_MS)).toBe('1');
  }
  const { entries } = await a.client.deploymentHistory({ name: 'risk', kind: 'scaled' });
  expect(entries.map(({ reason }) => reason)).toContain(
    'a request arrived while there was no replica',
  );
}, 300_000);
