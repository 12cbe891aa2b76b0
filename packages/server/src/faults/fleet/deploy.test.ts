/** A deploy in a fleet of processes whose chosen member is killed while it loads the version. */
import { mlp, writeModel } from '@skein/onnx';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeProcess } from '../../testing/node-process.ts';
import { openSlowFleet, PATIENT, type SlowFleet } from '../../testing/slow-fleet.ts';

let fleet: SlowFleet;
beforeEach(async () => {
  fleet = await openSlowFleet();
});
afterEach(() => fleet.close());

async function knows({ client }: NodeProcess, name: string): Promise<boolean> {
  const { deployments } = await client.listDeployments();
  return deployments.some((each) => each.name === name);
}

test('is placed again on another member with room', async () => {
  // The first one has no room: another one carries the deploy out.
  const a = await fleet.start({ args: ['--model-memory', '1MiB'] });
  const others = [await fleet.start(), await fleet.start()];
  await expect
    .poll(async () => (await a.client.getFleet()).members.length, PATIENT)
    .toBe(1 + others.length);
  const model = writeModel(mlp({ sizes: [4, 1024, 1024, 3], seed: 1 }));
  for (let round = 0; ; round++) {
    const name = `risk-${round}`;
    const settings = {
      objective: { latencyMs: 30_000 },
      replicas: { min: 1, max: 1 },
      isolation: 'process',
    } as const;
    const deploying = a.deploy(name, model, settings);
    let taker: NodeProcess | undefined;
    while (taker === undefined) {
      const known = await Promise.all(others.map((node) => knows(node, name)));
      taker = others.find((_, i) => known[i]);
    }
    process.kill(taker.pid, 'SIGSTOP');
    // It has stored the deployment already: the next one is tried.
    if (await knows(a, name)) {
      process.kill(taker.pid, 'SIGCONT');
      await deploying;
      continue;
    }
    await taker.kill();
    expect(await deploying).toMatchObject({ name, targets: [{ version: '1' }] });
    const [left] = others.filter((node) => node !== taker) as [NodeProcess];
    await expect
      .poll(async () => (await left.client.getDeployment({ name })).status, PATIENT)
      .toBe('ready');
    const statusOf = async (): Promise<number> => {
      const response = await fetch(`${a.url}/v2/models/${name}/infer`, {
        method: 'POST',
        body: JSON.stringify({
          inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
        }),
      });
      return response.status;
    };
    await expect.poll(statusOf, PATIENT).toBe(200);
    return;
  }
}, 180_000);
